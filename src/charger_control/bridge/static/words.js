// What the enumerations of the API mean to people.
export const STATES = {
  Idle: 'Ready', EVConnected: 'Vehicle connected', Charging: 'Charging', SuspendedEV: 'Paused by the vehicle',
  SuspendedEVSE: 'Paused by the charger', Finishing: 'Finished', Reserved: 'Reserved', Unavailable: 'Not available',
  Faulted: 'Fault',
};
export const VEHICLES = {
  A: 'No vehicle', B: 'A vehicle is plugged in', C: 'The vehicle takes current', D: 'The vehicle takes current and wants ventilation',
  E: 'Short circuit on the control pilot', F: 'The control pilot does not answer', S: 'Starting', R: 'Diode check failed',
};
export const OWNERS = {   // blocks of the controller that limit
  api: 'A limit set here or by another program', smart_charging: 'A charging profile', transaction: 'The transaction',
  mqtt: 'MQTT', hw: 'The installation', team: 'The team of chargers',
};
