// What the states of a session are called. Who decides and why is a sentence of the API.
export const STATES = {
  Idle: 'Ready', EVConnected: 'Vehicle connected', Charging: 'Charging', SuspendedEV: 'Paused by the vehicle',
  SuspendedEVSE: 'Paused by the charger', Finishing: 'Finished', Reserved: 'Reserved', Unavailable: 'Not available',
  Faulted: 'Fault',
};
