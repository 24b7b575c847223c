"""The whole graph of the default run against the table of ros/interfaces.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from live_charger import CHARGER, Process, wait_until
from live_topics import Topics, topics_of

from charger_control.bringup.processes import BLOCKS
from charger_control.ros.interfaces import DIAGNOSTICS, GRID_METER, SERVICES, TOPICS, Topic

NODES = {*BLOCKS, 'bridge'}
OF_ROS = {'/rosout', '/parameter_events'}
ENDS = {'publishers': 'get_publishers_info_by_topic',
        'subscribers': 'get_subscriptions_info_by_topic'}
DEVICE = {'driver': 'sdm630', 'unit': 2}


class Graph:
    """A running charger in a namespace, and everything it says."""

    def __init__(self, namespace: str, topics: Topics, nodes: set[str]) -> None:
        self.namespace, self.topics, self.nodes = namespace, topics, nodes

    def full(self, topic: Topic) -> str:
        return topic.name if topic.name.startswith('/') else f'/{self.namespace}/{topic.name}'

    def ends(self, topic: Topic, which: str) -> list[Any]:
        """The endpoints of one side of a topic that are not the test's own."""
        found = getattr(self.topics.node, ENDS[which])(self.full(topic))
        return [end for end in found if end.node_namespace == f'/{self.namespace}'
                and end.node_name != self.topics.node.get_name()]

    def expected(self, topic: Topic, which: str) -> list[str]:
        named = self.nodes if topic is DIAGNOSTICS and which == 'publishers' else (
            getattr(topic, which))
        return sorted(name for name in named if name in self.nodes)


def start(namespace: str, folder: Path, parameters: Mapping[str, Any] | None = None) -> Process:
    """`charger up --sim` as a user starts it, but for where it lives."""
    command = [*CHARGER, 'up', '--sim', '--namespace', namespace, '--port', '0', '--state-dir',
               str(folder / 'state')]
    if parameters:
        config = folder / 'more.yaml'
        config.write_text(yaml.safe_dump({'/**': {
            node: {'ros__parameters': values} for node, values in parameters.items()}}))
        command += ['--config', str(config)]
    return Process(command, {'XDG_RUNTIME_DIR': str(folder)})


@contextmanager
def running(namespace: str, folder: Path, nodes: set[str],
            parameters: Mapping[str, Any] | None = None) -> Iterator[Graph]:
    """A charger with its graph, ended however the test ends."""
    process = start(namespace, folder, parameters)
    try:
        with topics_of(namespace, *TOPICS) as topics:
            wait_until(lambda: {name for name, where in topics.node.get_node_names_and_namespaces()
                                if where == f'/{namespace}'} >= nodes, 60.0, 'all nodes')
            yield Graph(namespace, topics, nodes)
    except AssertionError as error:
        raise AssertionError(f'{error}\n' + '\n'.join(process.lines[-30:])) from error
    finally:
        process.end()


@pytest.fixture(scope='module')
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    with running('graph', tmp_path_factory.mktemp('graph'), NODES) as one:
        yield one


@pytest.mark.parametrize('which', ENDS)
@pytest.mark.parametrize('topic', TOPICS, ids=lambda t: t.name)
def test_both_ends_are_those_of_the_table(graph: Graph, topic: Topic, which: str) -> None:
    expected = graph.expected(topic, which)
    if topic is GRID_METER:
        expected = []  # the default run has none, and a vcse that is told so does not listen

    def names() -> list[str]:
        return sorted(end.node_name for end in graph.ends(topic, which))

    wait_until(lambda: names() == expected, 10.0, f'{which} {expected}, not {names()}')
    for end in graph.ends(topic, which):
        qos, wanted = end.qos_profile, topic.qos
        package = topic.type.__module__.split('.')[0]
        assert end.topic_type == f'{package}/msg/{topic.type.__name__}'
        # DDS tells others neither history nor depth
        assert (qos.reliability, qos.durability, qos.liveliness) == (
            wanted.reliability, wanted.durability, wanted.liveliness), end.node_name


def test_there_is_nothing_else_of_ours(graph: Graph) -> None:
    node = graph.topics.node
    named = {name for name, _ in node.get_topic_names_and_types()
             if name.startswith(f'/{graph.namespace}/') or name == DIAGNOSTICS.name}
    assert named == {graph.full(topic) for topic in TOPICS}  # the test itself hears them all
    for name in sorted(graph.nodes):
        served = {service for service, _ in node.get_service_names_and_types_by_node(
            name, f'/{graph.namespace}') if '/describe_parameters' not in service}
        ours = {s.removeprefix(f'/{graph.namespace}/') for s in served
                if not s.startswith(f'/{graph.namespace}/{name}/')}
        assert ours == {row.name for row in SERVICES if row.server == name}, name
    other = {name for name, where in node.get_node_names_and_namespaces()
             if where == f'/{graph.namespace}'} - graph.nodes
    assert other == {node.get_name()}


@pytest.mark.parametrize('topic', [t for t in TOPICS if t is not GRID_METER],
                         ids=lambda t: t.name)
def test_every_arrow_carries_messages(graph: Graph, topic: Topic) -> None:
    heard = len(graph.topics.all(topic))
    wait_until(lambda: len(graph.topics.all(topic)) > heard, 10.0, f'another {topic.name}')


def test_a_vehicle_is_charged_by_default(graph: Graph) -> None:
    """The default run shows what the diagram says: a session, and a team that gives."""
    by_name = {topic.name: topic for topic in TOPICS}
    graph.topics.wait_for(by_name['transaction'], lambda t: t.state == 'Charging', 40.0, 'charging')
    graph.topics.wait_for(by_name['team/allocation'], lambda t: any(
        m.allocated_amperage >= 6.0 for m in t.members), 10.0, 'an allocation')
    graph.topics.wait_for(by_name['vcse/request'], lambda t: t.requested_amperage >= 6.0, 10.0,
                          "the team's request")


def test_with_a_grid_meter_its_arrow_is_there_too(tmp_path: Path, graph: Graph) -> None:
    """The charger's own meter stands in for one at the point of supply: same line, same process."""
    line = tmp_path / 'charger_control' / 'grid' / 'line'
    parameters = {'grid_meter': {'device': {**DEVICE, 'port': str(line)}},
                  'vcse': {'grid_meter': True}}
    with running('grid', tmp_path, NODES | {'grid_meter'}, parameters) as one:
        for which in ENDS:
            wait_until(lambda which=which: [end.node_name for end in one.ends(GRID_METER, which)]
                       == one.expected(GRID_METER, which), 10.0, f'{which} of {GRID_METER.name}')
        assert one.expected(GRID_METER, 'publishers') == ['grid_meter']
        one.topics.wait_for(GRID_METER, lambda r: r.voltage[0] > 200.0, 20.0, 'a reading')
