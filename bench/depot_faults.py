"""What goes wrong in a depot, live: python bench/depot_faults.py [--only NAME ...] [--json FILE].

Four chargers, one process each, behind one simulated fuse (test/live_depot.py). Each case begins
with a vehicle charging at every charger; the judge is what flowed at the point of supply.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 50)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
sys.path.insert(0, str(Path(__file__).parents[1] / 'test'))

import yaml
from live_charger import boottime, wait_until
from live_depot import LiveDepot, live_depot
from live_nodes import Kept
from live_relay import Relay
from live_topics import topics_of

from charger_control.core.messages.team import TeamRequest
from charger_control.core.team import Member, MemberConfig
from charger_control.ros.convert import to_message
from charger_control.ros.interfaces import TEAM_ALLOCATION, TEAM_REQUEST

DOMAIN = int(os.environ['ROS_DOMAIN_ID'])
OTHER_DOMAIN = DOMAIN + 50
COUNT, EACH = 4, 8.0
FUSE = COUNT * EACH
SLACK = 0.3
"""A by which the vehicles' own accuracy may be above what they were offered together."""
Figures = dict[str, float]


def expect(what: str, *, holds: bool) -> None:
    print(f'  {"ok  " if holds else "NOT "} {what}')
    if not holds:
        raise AssertionError(what)


def never_stopped(depot: LiveDepot, members: Sequence[str], since: float) -> None:
    stopped = [m for m in members if any(
        e['amperage'] < 6.0 for e in depot.events(m, 'offer', since)) or depot.offered(m) < 6.0]
    expect(f'the others charge on ({", ".join(m[-4:] for m in members)})', holds=not stopped)


def charging(depot: LiveDepot) -> None:
    depot.wait_for_offers(EACH, depot.members, 90.0)
    wait_until(lambda: depot.most_drawn() > FUSE - 1.0, 20.0, 'the vehicles draw')


def kill_leader(depot: LiveDepot) -> Figures:
    leader = depot.leader
    others = [m for m in depot.members if m != leader]
    gone = others[-1]
    depot.do('unplug', charger=gone)
    time.sleep(3.0)
    since = boottime()
    depot.kept[leader].send(signal.SIGKILL)
    depot.do('plug_in', charger=gone, vehicle='ideal')
    wait_until(lambda: depot.leader not in ('', leader), 20.0, 'somebody else leads')
    took_over = boottime() - since
    wait_until(lambda: depot.offered(gone) >= 6.0, 60.0, 'an increase')
    raised = boottime() - since
    never_stopped(depot, others[:-1], since)
    expect(f'increases go on after {raised:.0f} s (45)', holds=raised <= 45.0)
    return {'takeover_s': took_over, 'increase_after_takeover_s': raised}


def kill_member(depot: LiveDepot) -> Figures:
    victim = next(m for m in depot.members if m not in depot.candidates)
    others = [m for m in depot.members if m != victim]
    since = boottime()
    depot.kept[victim].send(signal.SIGKILL)
    wait_until(lambda: depot.at_most(victim, 0.0, since) < 60.0, 10.0, 'its offer withdrawn')
    stood = depot.at_most(victim, 0.0, since)
    expect(f'its offer stood for {stood:.2f} s (2)', holds=stood <= 2.0)
    wait_until(lambda: depot.offered(victim) >= 6.0, 90.0, 'it charges again')
    never_stopped(depot, others, since)
    return {'offer_stood_s': stood, 'charges_again_s': boottime() - since}


def partition(depot: LiveDepot, relay: Relay) -> Figures:
    """The leader alone on one side: it steps aside, the others' leader takes over."""
    alone = depot.members[0]
    others = depot.members[1:]
    print(f'  {depot.leader[-4:]} leads, {alone[-4:]} is cut off')
    since = boottime()
    relay.cut = True
    wait_until(lambda: depot.at_most(alone, 0.0, since) < 60.0, 30.0, 'the lone one stops')
    stopped = depot.at_most(alone, 0.0, since)
    expect(f'the lone one stops after {stopped:.0f} s: it leads 5 s longer, its lease lasts 10',
           holds=stopped <= 16.0)
    depot.wait_for_offers(FUSE / len(others), others, 90.0)
    used = boottime() - since
    never_stopped(depot, others, since)
    expect(f'its share is used elsewhere after {used:.0f} s, not before 18 s', holds=used >= 18.0)
    relay.cut = False
    healed = boottime()
    wait_until(lambda: depot.offered(alone) >= 6.0, 60.0, 'it charges again')
    never_stopped(depot, others, healed)
    return {'stops_s': stopped, 'share_used_s': used, 'heals_s': boottime() - healed}


def two_leaders(depot: LiveDepot) -> Figures:
    """A second team node, configured as the only one that may lead."""
    leader = depot.leader
    parts = [part for parts in depot.plan().parts() for part in parts]
    program = next(p.program for p in parts if p.namespace == depot.members[0])
    place = Path(program.command[0]).parent
    rogue = Kept(replace(program, blocks=('team',), command=(
        str(place / 'team'), '--ros-args', '-r', f'__ns:=/{depot.namespace}', '-p', 'name:=rogue',
        '-p', 'candidates:=[rogue]', '-p', f'team:={depot.namespace}', '-p',
        f'members:=[{", ".join(depot.members)}]', '-p', f'state_dir:={depot.folder}/rogue')))
    since = boottime()
    rogue.start()
    try:
        with topics_of(depot.namespace, TEAM_ALLOCATION) as topics:
            time.sleep(20.0)
            leaders = {heard.leader for heard in topics.all(TEAM_ALLOCATION) if heard.members}
            expect(f'one of two configured leaders leads ({", ".join(leaders)})',
                   holds=leaders == {leader})
            depot.kept[leader].send(signal.SIGKILL)
            time.sleep(25.0)
        others = [m for m in depot.members if m != leader]
        never_stopped(depot, others, since)
        leading = {m for m in (*depot.candidates, 'rogue') if depot.leader == m}
        expect(f'after the loss of the first one leads ({", ".join(leading)})',
               holds=len(leading) == 1)
    finally:
        rogue.leave()
        rogue.join()
    return {}


def liar(depot: LiveDepot) -> Figures:
    """A member that draws 4 A more than it was given, and says what it measures."""
    name = depot.members[-1]
    others = depot.members[:-1]
    now = boottime()
    member = Member(MemberConfig(depot.namespace, name), now, int(time.time()) << 32)
    with topics_of(depot.namespace, TEAM_ALLOCATION) as topics:
        publisher = topics.node.create_publisher(TEAM_REQUEST.type, TEAM_REQUEST.name,
                                                 TEAM_REQUEST.qos)
        heard = 0

        def live(span: float, more: float) -> None:
            nonlocal heard
            end = boottime() + span
            while boottime() < end:
                for one in topics.all(TEAM_ALLOCATION)[heard:]:
                    heard += 1
                    member.hear(boottime(), one)
                drawn = member.in_force(boottime()).amperage
                drawn += more if drawn > 0.0 else 0.0
                publisher.publish(to_message(member.request(boottime(), TeamRequest(
                    requested_amperage=16.0, drawable_amperage=drawn, phase_map=(1, 2, 3),
                    vehicle_status='C', amperage=(drawn,) * 3))))
                time.sleep(0.5)
        live(70.0, 0.0)
        depot.wait_for_offers(EACH, others, 10.0)
        since = boottime()
        live(25.0, 4.0)
    named = [words for m in depot.candidates for level, words in depot.diagnosis(f'{m}/team: team')
             if level == 2 and name in words]
    expect(f'it is named in diagnostics ({named[-1] if named else "no"})', holds=bool(named))
    together, taken = sum(map(depot.offered, others)), member.in_force(boottime()).amperage + 4.0
    expect(f'the others yield, from {3 * EACH:g} to {together:.1f} A: with the {taken:.1f} A '
           'that it takes that is no more than there is', holds=together + taken <= FUSE + SLACK)
    never_stopped(depot, others, since)
    return {'others_yielded_to_a': together}


def clock_off(depot: LiveDepot) -> Figures:
    """One charger's wall clock is an hour ahead: it charges like all others, and may lead."""
    member = depot.members[0]
    since = boottime()
    lines = [line for run in depot.kept[member].runs for line in run.lines if '[179' in line
             or '[17' in line]
    stamps = [float(line.split('] [')[1].split(']')[0]) for line in lines[-1:]]
    expect('its clock is an hour ahead', holds=bool(stamps) and stamps[0] > time.time() + 3000.0)
    print(f'  {depot.leader[-4:]} leads')
    depot.dim(6.5 * COUNT * 690.0)
    wait_until(lambda: all(depot.at_most(m, 6.6, since) < 60.0 for m in depot.members), 20.0,
               'all are lowered')
    took = max(depot.at_most(m, 6.6, since) for m in depot.members)
    expect(f'a drop of the budget reaches all within {took:.2f} s (2)', holds=took <= 2.0)
    depot.dim(float('nan'))
    charging(depot)
    never_stopped(depot, depot.members, since)
    return {'drop_s': took}


class Site(LiveDepot):
    """A depot of two chargers, and beside it the other two, behind one fuse."""

    def __init__(self, folder: Path, count: int, fuse: float) -> None:
        super().__init__(folder, count, fuse)
        self.hardware = folder / 'hardware.yaml'
        self.hardware.write_text(self.file.read_text())
        sections = yaml.safe_load(self.file.read_text())
        below = f'{self.namespace}north'
        site = sections[f'/{self.namespace}']
        site['team']['ros__parameters'] = {'members': [below, *self.members[2:]],
                                           'fall_time': 18.0}
        sections[f'/{below}'] = {
            'team': {'ros__parameters': {'members': self.members[:2]}},
            'vcse': {'ros__parameters': {'fuse': [fuse] * 3, 'parent': self.namespace,
                                         'parent_size': 3}}}
        self.file.write_text(yaml.safe_dump(sections, sort_keys=False))


def nested(depot: LiveDepot) -> Figures:
    """A depot in a depot: each vehicle has the same share, a lower budget goes down the tree."""
    since = boottime()
    depot.dim(6.5 * COUNT * 690.0)
    wait_until(lambda: all(depot.at_most(m, 6.6, since) < 60.0 for m in depot.members), 60.0,
               'all are lowered')
    took = max(depot.at_most(m, 6.6, since) for m in depot.members)
    print(f'  a drop of the budget reaches all within {took:.1f} s')
    return {'drop_s': took}


CASES: dict[str, Callable[..., Figures]] = {
    'kill_leader': kill_leader, 'kill_member': kill_member, 'partition': partition,
    'two_leaders': two_leaders, 'liar': liar, 'clock_off': clock_off, 'nested': nested}


def run(name: str) -> Figures:
    print(f'{name}: {(CASES[name].__doc__ or "").splitlines()[0] if CASES[name].__doc__ else ""}')
    with tempfile.TemporaryDirectory() as folder:
        environment: dict[int, list[str]] = {}
        absent: list[int] = []
        if name == 'clock_off':
            library = Path(folder) / 'wall_clock.so'
            subprocess.run(['gcc', '-shared', '-fPIC', '-o', str(library),
                            str(Path(__file__).with_name('wall_clock.c')), '-ldl'], check=True)
            environment[0] = [f'LD_PRELOAD={library}', 'WALL_CLOCK_OFF=3600']
        if name == 'partition':
            environment[0] = [f'ROS_DOMAIN_ID={OTHER_DOMAIN}']
        if name == 'liar':
            absent = [COUNT - 1]
        relay = None
        if name == 'partition':
            namespace = f'd{os.getpid()}'
            relay = Relay(namespace, f'{namespace}cp01', DOMAIN, OTHER_DOMAIN)
        try:
            with live_depot(Path(folder), COUNT, FUSE, absent=absent, environment=environment,
                            kind=Site if name == 'nested' else LiveDepot) as depot:
                if name != 'liar':
                    charging(depot)
                figures = CASES[name](depot, relay) if relay else CASES[name](depot)
                most = depot.most_drawn()
                expect(f'the most on a phase: {most:.2f} A of {FUSE:g} A', holds=most
                       <= FUSE + SLACK)
        finally:
            if relay is not None:
                relay.close()
    return {f'{name}.{key}': value for key, value in {**figures, 'most_a': most}.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', nargs='+', choices=CASES, default=list(CASES))
    parser.add_argument('--json', type=Path, metavar='FILE')
    arguments = parser.parse_args()
    figures: Figures = {}
    failed = []
    for name in arguments.only:
        try:
            figures |= run(name)
        except AssertionError as error:
            print(f'  NOT  {error}')
            failed.append(name)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + '\n')
    print('failed: ' + ', '.join(failed) if failed else 'all cases hold')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
