"""``charger credentials``: a line of the bridge's credentials file, and the secret for it."""

from __future__ import annotations

import secrets
import sys

import click

from charger_control.bridges.web.access.credentials import CredentialsError, hash_secret, parse
from charger_control.bringup.supervisor import EXIT_CONFIG


@click.command()
@click.argument('name')
@click.option('--rights', default='read,write', show_default=True,
              help='read, write or read,write.')
@click.option('--stdin', is_flag=True,
              help='Take the secret from standard input instead of making one.')
def credentials(name: str, rights: str, stdin: bool) -> None:
    """Make one line of a credentials file, and the secret that goes with it.

    The line goes to standard output, the secret, which is said only once, to standard error.
    """
    secret = sys.stdin.readline().rstrip('\n') if stdin else secrets.token_urlsafe(24)
    line = f'{name} {rights} {hash_secret(secret)}'
    try:
        parse(line, 'this line')
        if not secret:
            raise CredentialsError('the secret is empty')
    except CredentialsError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)
    click.echo(line)
    if not stdin:
        click.echo('# the line above goes into the credentials file; this is said only once:\n'
                   f'# Basic: {name}:{secret}\n# Bearer: {name}.{secret}', err=True)
