"""``charger profiles``: what is installed, what it allows, and changes of it, through the graph."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TextIO

import click
from rich.console import Console

from charger_control.cli.charger.profile_pictures import Schedule, chart, save_png, table
from charger_control.cli.graph import ask
from charger_control.core.smart_charging import (
    OcppVersion,
    ProfileRejected,
    read_set_charging_profile,
    version_of_request,
)
from charger_control.ros.interfaces import (
    CLEAR_CHARGING_PROFILE,
    GET_CHARGING_PROFILES,
    GET_COMPOSITE_SCHEDULE,
    SET_CHARGING_PROFILE,
    ServiceRow,
)

HOUR = 3600
EVSE = 1
VERSIONS = [version.value for version in OcppVersion]
PURPOSES = ('ChargingStationMaxProfile', 'TxDefaultProfile', 'TxProfile')


@dataclass(frozen=True, slots=True)
class Charger:
    """Whom to ask."""

    namespace: str
    timeout: float

    def ask(self, row: ServiceRow, **fields: str) -> Any:
        """The answer of a service; ends the command where there is none, or a refusal."""
        answer = ask(self.namespace, row, row.type.Request(**fields), self.timeout)
        if answer is None:
            fail(f'no charger answers in namespace /{self.namespace.strip("/")} within '
                 f'{self.timeout:g} s. Is it running, in this ROS_DOMAIN_ID? See: charger status')
        if not answer.success:
            fail(f'{answer.code}: {answer.message}')
        return answer


@click.group()
@click.option('--namespace', default='charger', show_default=True, help='ROS namespace.')
@click.option('--timeout', default=10.0, show_default=True, help='s to wait for the charger.')
@click.pass_context
def profiles(context: click.Context, namespace: str, timeout: float) -> None:
    """OCPP charging profiles: show what they allow, list, set and clear them."""
    context.obj = Charger(namespace, timeout)


@profiles.command()
@click.option('--hours', type=click.IntRange(1, 31 * 24), default=24, show_default=True,
              help='How far ahead.')
@click.option('--unit', type=click.Choice(['A', 'W']), default='A', show_default=True)
@click.option('--png', type=click.Path(dir_okay=False, path_type=Path), metavar='FILE',
              help='Write a picture instead of drawing in the terminal.')
@click.option('--json', 'as_json', is_flag=True, help='The GetCompositeSchedule answer of OCPP '
              '2.0.1.')
@click.pass_obj
def show(charger: Charger, hours: int, unit: str, png: Path | None, as_json: bool) -> None:
    """Draws what the profiles allow in the coming hours, in local time.

    Without a vehicle it is what one would get; where no profile says anything, the hardware limit.
    """
    answer = charger.ask(GET_COMPOSITE_SCHEDULE, ocpp_version=OcppVersion.V201.value,
                         request_json=json.dumps({'evseId': EVSE, 'duration': hours * HOUR,
                                                  'chargingRateUnit': unit}))
    if as_json:
        click.echo(answer.response_json)
        return
    schedule = Schedule.of(json.loads(answer.response_json), f'/{charger.namespace.strip("/")}')
    if png is not None:
        try:
            save_png(schedule, png)
        except OSError as error:
            fail(f'cannot write {png}: {error.strerror or error}')
        click.echo(str(png))
        return
    console = Console()
    console.print(chart(schedule, console.width))
    console.print(table(schedule))


@profiles.command('list')
@click.option('--json', 'as_json', is_flag=True, help='As a JSON list, requests and all.')
@click.pass_obj
def list_profiles(charger: Charger, as_json: bool) -> None:
    """Lists the installed profiles, in the order of their installation."""
    installed = json.loads(charger.ask(GET_CHARGING_PROFILES).profiles_json)
    if as_json:
        click.echo(json.dumps(installed, indent=2))
        return
    click.echo(f'{"ID":>10}  {"OCPP":<5}  {"PURPOSE":<34}  {"EVSE":>4}  {"LEVEL":>5}  '
               f'{"KIND":<9}  {"PERIODS":>7}  SOURCE')
    for entry in installed:
        p = read_set_charging_profile(entry['request'], OcppVersion(entry['ocppVersion']))
        kind = p.kind.value if p.recurrency is None else p.recurrency.value
        click.echo(f'{p.profile_id:>10}  {p.ocpp_version.value:<5}  {p.purpose.value:<34}  '
                   f'{p.evse:>4}  {p.stack_level:>5}  {kind:<9}  {len(p.periods):>7}  '
                   f'{entry["source"]}')


@profiles.command('set')
@click.argument('file', type=click.File(encoding='utf-8'))
@click.option('--ocpp-version', type=click.Choice(VERSIONS),
              help='Default: as the names of the fields tell.')
@click.pass_obj
def set_profile(charger: Charger, file: TextIO, ocpp_version: str | None) -> None:
    """Installs FILE, a SetChargingProfile request as JSON; - reads standard input."""
    text = file.read()
    try:
        payload = json.loads(text)
    except ValueError as error:
        fail(f'{file.name} is not JSON: {error}')
    if not isinstance(payload, dict):
        fail(f'{file.name} is not a JSON object')
    version = OcppVersion(ocpp_version) if ocpp_version else version_of_request(payload)
    answer = charger.ask(SET_CHARGING_PROFILE, ocpp_version=version.value, request_json=text)
    click.echo(f'{answer.code}: {_named(payload, version)} {answer.message}'.rstrip())


@profiles.command()
@click.option('--id', 'profile_id', type=int, help='Only this one.')
@click.option('--evse', type=int, help='Only those of this EVSE; 0: the station.')
@click.option('--purpose', type=click.Choice(PURPOSES), help='Only those of this purpose.')
@click.option('--stack-level', type=int, help='Only those of this stack level.')
@click.option('--all', 'all_of_them', is_flag=True, help='All of them.')
@click.pass_obj
def clear(charger: Charger, profile_id: int | None, evse: int | None, purpose: str | None,
          stack_level: int | None, all_of_them: bool) -> None:
    """Removes the profiles that match. What a file has installed goes with its file."""
    criteria = {name: value for name, value in (
        ('evseId', evse), ('chargingProfilePurpose', purpose), ('stackLevel', stack_level))
        if value is not None}
    if (profile_id is None and not criteria) != all_of_them:
        raise click.UsageError('say which (--id, --evse, --purpose, --stack-level), or --all')
    wanted = ({} if profile_id is None else {'chargingProfileId': profile_id}) | (
        {'chargingProfileCriteria': criteria} if criteria else {})
    answer = charger.ask(CLEAR_CHARGING_PROFILE, ocpp_version=OcppVersion.V201.value,
                         request_json=json.dumps(wanted))
    click.echo(f'{answer.code} {answer.message}'.rstrip())


def _named(payload: dict[str, Any], version: OcppVersion) -> str:
    try:
        return str(read_set_charging_profile(payload, version))
    except ProfileRejected as error:  # which the charger has taken all the same
        return error.message


def fail(message: str) -> NoReturn:
    """Ends the command: one line on standard error, exit code 1."""
    raise click.ClickException(message)
