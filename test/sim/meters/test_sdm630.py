import struct
from itertools import pairwise
from typing import Any

import pytest


def floats(registers: list[int]) -> list[float]:
    data = struct.pack(f'>{len(registers)}H', *registers)
    return list(struct.unpack(f'>{len(registers) // 2}f', data))


def charging(bench: Any) -> Any:
    bench.do('plug_in', vehicle='imbalanced')
    bench.live(30.0)
    return bench


def test_values_are_those_of_the_plant(bench: Any) -> None:
    charging(bench)
    plant = bench.point.plant
    values = floats(bench.read(0, 18, unit=2, function=4))
    assert values[0:3] == pytest.approx(plant.voltage, abs=0.2)
    assert values[3:6] == pytest.approx(plant.amperage, abs=0.06)
    assert values[6:9] == pytest.approx(
        [v * a for v, a in zip(plant.voltage, plant.amperage, strict=True)], rel=0.005)
    assert values[3:6] == pytest.approx((30.4, 28.272, 26.752), abs=0.06)
    total, = floats(bench.read(0x34, 2, unit=2, function=4))
    assert total == pytest.approx(plant.power, rel=0.005)
    frequency, energy = floats(bench.read(0x46, 4, unit=2, function=4))
    assert frequency == pytest.approx(50.0, abs=0.1)
    assert energy == pytest.approx(plant.energy_imported, abs=0.01)
    assert energy > 1234.567


def test_serial_number_is_a_holding_register(bench: Any) -> None:
    high, low = bench.read(0xFC00, 2, unit=2)
    assert high << 16 | low == 20231107


def test_registers_change_only_at_the_refresh_rate(bench: Any) -> None:
    charging(bench)
    read = bench.point.meter.read
    seen = []
    for _ in range(200):
        bench.live(0.01, 0.01)
        seen.append(tuple(read(4, 0, 2, bench.now)))
    changes = [i for i in range(1, 200) if seen[i] != seen[i - 1]]
    assert len(changes) in (9, 10)
    assert all(b - a == 20 for a, b in pairwise(changes))


def test_sample_is_fresh_after_a_long_gap(bench: Any) -> None:
    bench.now += 3600.0
    bench.point.step(bench.now)
    assert 0.0 <= bench.now - bench.point.meter.sampled_at < 0.2


def test_slower_meter(bench: Any) -> None:
    bench.do('set_meter', refresh=1.0)
    bench.do('plug_in', vehicle='ideal')
    bench.live(0.5)
    taken = bench.point.meter.sampled_at
    bench.until(lambda: bench.point.meter.sampled_at > taken)
    taken = bench.point.meter.sampled_at
    assert bench.until(lambda: bench.point.meter.sampled_at > taken) == pytest.approx(1.0, abs=0.02)


def test_register_rises_in_its_resolution_and_can_be_set(bench: Any) -> None:
    bench.do('set_meter', energy_imported=5.0004, serial_number=7, gain=1.01)
    bench.live(0.3)
    assert floats(bench.read(0x48, 2, unit=2, function=4)) == [5.0]
    assert bench.read(0xFC00, 2, unit=2) == [0, 7]
    charging(bench)
    plant = bench.point.plant
    assert plant.energy_imported - 5.0004 == pytest.approx(1.01 * plant.energy)


def test_mains_can_be_set(bench: Any) -> None:
    bench.do('set_mains', voltage=(0.0, 200.0, 250.0), frequency=49.0)
    bench.live(0.3)
    values = floats(bench.read(0, 6, unit=2, function=4))
    assert values == pytest.approx([0.0, 200.0, 250.0], abs=3.0)
    assert values[0] == 0.0


@pytest.mark.parametrize(('function', 'address', 'count', 'code'), [
    (4, 0, 81, 3), (4, 0, 126, 3), (4, 0x0400, 2, 2), (3, 0xFC01, 2, 2)])
def test_reads_that_are_refused(
        bench: Any, function: int, address: int, count: int, code: int) -> None:
    request = struct.pack('>BHH', function, address, count)
    assert bench.ask(2, request) == bytes([function | 0x80, code])


def test_cannot_be_written(bench: Any) -> None:
    assert bench.ask(2, struct.pack('>BHHBI', 16, 0x1C, 2, 4, 0)) == bytes([0x90, 1])


def test_registers_without_a_meaning_are_0(bench: Any) -> None:
    assert bench.read(0x0100, 4, unit=2, function=4) == [0, 0, 0, 0]
