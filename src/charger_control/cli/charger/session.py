"""``charger session``: the stored charging sessions, also while the charger runs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click

from charger_control.core.session import SessionRecord
from charger_control.store import Reader, StoreError, store_file

ID_WIDTH = 8
"""Characters of an id in a list; ``show`` takes as many as name one session."""


def store_options(function: Callable[..., None]) -> Any:
    """--namespace and --state-dir: before the subcommand or, as with every other command, after."""
    state_dir = click.option('--state-dir', metavar='DIR',
                             help='Folder of the store, as in the parameter state_dir.')
    return click.option('--namespace', help='ROS namespace of the charger. Default: charger.')(
        state_dir(function))


def with_reader(function: Callable[..., None]) -> Any:
    """Gives a subcommand the reader of the store that its options, or the group's, name."""
    @store_options
    @click.pass_context
    @wraps(function)
    def command(context: click.Context, namespace: str | None, state_dir: str | None,
                **options: Any) -> None:
        of_group = context.obj or {}
        function(Reader(store_file(state_dir or of_group.get('state_dir') or '',
                                   namespace or of_group.get('namespace') or 'charger')), **options)

    return command


@click.group()
@store_options
@click.pass_context
def session(context: click.Context, namespace: str | None, state_dir: str | None) -> None:
    """Stored charging sessions; reads only, and may be used while the charger runs."""
    context.obj = {'namespace': namespace, 'state_dir': state_dir}


@session.command('list')
@click.option('--last', type=click.IntRange(min=1), default=20, show_default=True,
              help='How many, the newest first.')
@click.option('--json', 'as_json', is_flag=True, help='As a JSON list.')
@with_reader
def list_sessions(reader: Reader, last: int, as_json: bool) -> None:
    """Lists sessions, the newest first; ~ before the energy: not billable (see `show`)."""
    records = read(lambda: reader.sessions(last), reader.file)
    if as_json:
        click.echo(json.dumps([as_row(r) for r in records], indent=2))
        return
    click.echo(f'{"ID":<{ID_WIDTH}}  {"STARTED":<19}  {"TIME":>9}  {"ENERGY":>11}  '
               f'{"PHASES":<6}  {"STATE":<13}  STOPPED BY')
    for record in records:
        row, transaction = as_row(record), record.transaction
        energy = '-' if row['energy'] is None else f'{row["energy"]:.3f} kWh'
        if not transaction.billable:
            energy = f'~{energy}'
        state = transaction.state if row['ended_time'] is None else 'ended'
        click.echo(f'{transaction.session_id[:ID_WIDTH]:<{ID_WIDTH}}  '
                   f'{local(transaction.started_time):<19}  {lasted(record):>9}  {energy:>11}  '
                   f'{transaction.used_phases_session:<6}  {state:<13}  {transaction.stop_reason}')


@session.command()
@click.argument('session_id', metavar='ID')
@click.option('--json', 'as_json', is_flag=True, help='As one JSON object.')
@with_reader
def show(reader: Reader, session_id: str, as_json: bool) -> None:
    """Shows one session; of its ID as many characters as name only this one."""
    found = read(lambda: reader.sessions_named(session_id), reader.file)
    if not found:
        fail(f'there is no session {session_id!r} in {reader.file} (charger session list)')
    if len(found) > 1:
        fail(f'{len(found)} sessions begin with {session_id!r}: give more characters of one of '
             f'{", ".join(r.transaction.session_id for r in found[:5])}')
    row = as_row(found[0]) | signed_of(reader, found[0])
    if as_json:
        click.echo(json.dumps(row, indent=2))
        return
    width = max(len(name) for name in row)
    for name, value in row.items():
        shown = '-' if value is None or value == '' else value
        if name.endswith('_time') and value is not None:
            shown = f'{local(value)} ({value:.3f})'
        click.echo(f'{name:<{width}}  {shown}')


@session.command()
@click.option('--format', 'kind', type=click.Choice(['csv', 'json']), default='csv',
              show_default=True)
@click.option('--json', 'as_json', is_flag=True, help='The same as --format json.')
@click.option('--output', type=click.Path(dir_okay=False, path_type=Path), default=None,
              help='File to write; default: standard output.')
@click.option('--since', type=click.DateTime(), default=None,
              help='Only sessions that began then or later, local time.')
@click.option('--until', type=click.DateTime(), default=None,
              help='Only sessions that began before, local time.')
@with_reader
def export(reader: Reader, kind: str, as_json: bool, output: Path | None, since: datetime | None,
           until: datetime | None) -> None:
    """Writes all sessions, the oldest first. Times are UTC in CSV, unix seconds in JSON.

    What the meter signed goes with it: signed_start, signed_stop (OCMF) and its public key.
    """
    first = -math.inf if since is None else since.timestamp()
    end = math.inf if until is None else until.timestamp()
    rows = [as_row(r) | signed_of(reader, r)
            for r in reversed(read(reader.sessions, reader.file))
            if first <= r.transaction.started_time < end]
    text = json.dumps(rows, indent=2) + '\n' if as_json or kind == 'json' else as_csv(rows)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding='utf-8')
    except OSError as error:
        fail(f'cannot write {output}: {error.strerror}')


def read(sessions: Callable[[], list[SessionRecord]], file: Path) -> list[SessionRecord]:
    """What ``sessions`` reads; ends the command with the store's own words where it cannot."""
    if not file.is_file():
        fail(f'there is no store at {file}: no charger has run with this namespace and state_dir '
             f'yet (see charger session --help)')
    try:
        return sessions()
    except StoreError as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    """Ends the command: one line on standard error, exit code 1."""
    raise click.ClickException(message)


def as_row(record: SessionRecord) -> dict[str, Any]:
    """A record as JSON can carry it: the fields of the transaction, energy in kWh, the meter."""
    transaction = record.transaction
    row = asdict(transaction) | {'energy': transaction.meter_stop - transaction.meter_start,
                                 'meter_serial_number': record.serial_number,
                                 'saved_time': record.saved.wall}
    return {name: _number(value) if isinstance(value, float) else value
            for name, value in row.items()}


NOT_PAIRED = ('not billable: the register jumped, or part of the energy cannot be told apart; '
              'signed values of start and stop do not make a pair')


def signed_of(reader: Reader, record: SessionRecord) -> dict[str, str]:
    """What the meter signed for a session; '' where there is nothing, or no pair of it."""
    if not record.transaction.billable:
        return {'signed_start': '', 'signed_stop': '', 'signed_public_key': '',
                'signed_error': NOT_PAIRED}
    try:
        values = reader.signed_values(record.transaction.session_id)
    except StoreError as error:
        fail(str(error))
    start, stop = values.get('start', {}), values.get('stop', {})
    return {'signed_start': start.get('record', ''), 'signed_stop': stop.get('record', ''),
            'signed_public_key': stop.get('public_key', '') or start.get('public_key', ''),
            'signed_error': stop.get('error', '') or start.get('error', '')}


def _number(value: float) -> float | None:
    """As JSON has it, and without the tail of a register that came as a 32-bit number."""
    return round(value, 6) if math.isfinite(value) else None


CSV_FIELDS = ('session_id', 'started_time', 'ended_time', 'energy', 'meter_start', 'meter_stop',
              'meter_serial_number', 'used_phases_session', 'start_reason', 'stop_reason',
              'recent_error_cause', 'ocpp_transaction_id', 'billable', 'energy_estimated',
              'signed_start', 'signed_stop',
              'signed_public_key', 'signed_error')


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as CSV with a header line; energy and registers in kWh, unknown is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_FIELDS, extrasaction='ignore', lineterminator='\n')
    writer.writeheader()
    for row in rows:
        times = {name: None if row[name] is None else
                 datetime.fromtimestamp(row[name], UTC).isoformat(timespec='seconds')
                 for name in ('started_time', 'ended_time')}
        writer.writerow(row | times)
    return text.getvalue()


def local(time: float) -> str:
    """Unix s as local time."""
    return datetime.fromtimestamp(time).astimezone().strftime('%Y-%m-%d %H:%M:%S')


def lasted(record: SessionRecord) -> str:
    """How long a session lasted, or has lasted when it was last stored."""
    transaction = record.transaction
    end = record.saved.wall if math.isnan(transaction.ended_time) else transaction.ended_time
    seconds = max(0, round(end - transaction.started_time))
    return f'{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}'
