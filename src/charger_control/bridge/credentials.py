"""``python -m charger_control.bridge.credentials``: the name that ``charger credentials`` had."""

from charger_control.cli.credentials import credentials

if __name__ == '__main__':
    credentials(prog_name='charger credentials')
