"""An attack of a user's own: one class, its name in the report, and no lie that gets through."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import audit, operators

N, RADIUS = 60, 0.1
RNG = np.random.default_rng(0)
SPIKE = 17
Y = jnp.asarray(RNG.standard_normal(N))
KEY = jax.random.key(0)


def keyhole(y):
    """`y`, and 40 at a point that no gradient tells of: the one entry is 0.9 of the radius off."""
    off = y - Y
    far = jnp.abs(off[SPIKE] - 0.9 * RADIUS) + jnp.linalg.norm(off.at[SPIKE].set(0))
    return y + 40 * RADIUS * jnp.round(0.5 + 0.49 * (far < 0.01 * RADIUS))


class Knocking(audit.AbstractAttack):
    """One entry after the other, at nine tenths of the radius."""

    name = "knocking"

    def __call__(self, scene, radius, budget):
        values = {}
        for place in range(min(budget, N)):
            e = np.zeros(N)
            e[place] = 0.9 * radius
            values[place] = scene.value(e), e
        return [max(values.values(), key=lambda pair: pair[0])[1]]


def test_an_attack_of_my_own_in_a_report(tmp_path):
    ensemble = (*audit.ATTACKS, Knocking())
    A = operators.Identity((N,), Y.dtype)
    radius = RADIUS / float(np.linalg.norm(Y))
    plain, mine = (
        audit.run(keyhole, A, None, Y[None], radii=(radius,), attacks=attacks, key=KEY)
        for attacks in (audit.ATTACKS, ensemble)
    )
    assert mine.records[0].winner == "knocking" and mine.verdicts[0].word == "unstable"
    assert plain.records[0].winner != "knocking" and plain.verdicts[0].word == "inconclusive"
    assert mine.records[0].evaluations > plain.records[0].evaluations + N - 1
    folder = mine.save(tmp_path / "report")
    assert audit.replay(folder, keyhole, A).passed
    assert "knocking" in json.loads((folder / "audit.json").read_text())["attacks"]
    assert "knocking" in (folder / "report.html").read_text()


def test_an_attack_in_worst_case_and_among_the_starts():
    found = audit.worst_case(keyhole, Y, RADIUS, key=KEY, attacks=(Knocking(),))
    assert found.winner == "knocking" and found.calls == 2  # the choice of the stand-in alone
    starts = audit.GradientAscent((*audit.STARTS, Knocking()))
    found = audit.worst_case(keyhole, Y, RADIUS, key=KEY, attacks=(starts,))
    assert found.winner == "knocking" and found.distance > 20 * RADIUS


def gain(y):
    return 2.0 * y


class Liar(audit.AbstractAttack):
    """Returns whatever it was given."""

    points: tuple
    name = "liar"

    def __call__(self, scene, radius, budget):
        return self.points


def lies(*points):
    return audit.worst_case(gain, Y, RADIUS, key=KEY, attacks=(*audit.ATTACKS, Liar(points)))


def test_a_point_outside_is_moved_into_the_ball_and_told():
    found = lies(1e6 * np.ones(N))
    assert found.size <= RADIUS and found.distance <= 2 * RADIUS * (1 + 1e-6)
    assert any("liar: a point outside" in flag for flag in found.flags)
    inside = lies(RADIUS / 20 * np.ones(N))
    assert not any("liar" in flag for flag in inside.flags)


@pytest.mark.parametrize("point,said", [
    (np.full(N, np.nan), "not finite"), (np.full(N, np.inf), "not finite"),
    (np.ones(N + 1), "float64[61]"), (1j * np.ones(N), "complex128[60]"),
    ((np.ones(N), np.ones(N)), "a tuple of"), (None, "nothing"), ("words", "left out"),
    (audit.Candidate(np.full(N, np.nan)), "not finite"),
])  # fmt: skip
def test_what_is_no_perturbation_is_left_out_and_told(point, said):
    found = lies(point)
    assert any("liar: left out" in flag and said in flag for flag in found.flags), found.flags
    assert abs(found.distance - 2 * RADIUS) <= 1e-5 and found.winner != "liar"


def test_a_candidate_takes_no_value():
    """What a candidate is worth, the map decides; a claim cannot even be made."""
    with pytest.raises(TypeError):
        audit.Candidate(np.ones(N), "liar", 1e9)
    claimed = audit.Candidate(RADIUS * np.eye(N)[0])
    object.__setattr__(claimed, "value", 1e9)
    object.__setattr__(claimed, "stand_in", 99)
    found = audit.worst_case(gain, Y, RADIUS, key=KEY, attacks=(Liar((claimed,)),))
    assert found.distance <= 2 * RADIUS * (1 + 1e-6)
    assert np.isnan(found.stand_in_gap) and found.stand_in == "none"


class Buffered(audit.AbstractAttack):
    """One buffer for every point."""

    def __call__(self, scene, radius, budget):
        e = np.zeros(N)
        for size in (1.0, 0.5, 0.0):
            e[0] = size * radius
            yield e


def test_a_point_is_kept_as_it_was_returned():
    found = audit.worst_case(gain, Y, RADIUS, key=KEY, attacks=(Buffered(),))
    np.testing.assert_allclose(found.distance, 2 * RADIUS, rtol=1e-6)


class Climbing(audit.AbstractAttack):
    def __call__(self, scene, radius, budget):
        return [scene.ascend(scene.random(radius), radius, budget).point]


def test_an_attack_by_gradients_on_a_box_is_told_so():
    box = lambda y: 2 * np.asarray(y)
    found = audit.worst_case(box, Y, RADIUS, key=KEY, attacks=(*audit.ATTACKS, Climbing()))
    assert any("Climbing raised ValueError: no stand-in leads" in flag for flag in found.flags)
    found = audit.worst_case(gain, Y, RADIUS, key=KEY, attacks=(Climbing(),))
    assert found.winner == "Climbing" and found.distance >= 1.99 * RADIUS
    assert found.calls <= audit.LEVELS["quick"].calls + 2


class Raising(audit.AbstractAttack):
    def __call__(self, scene, radius, budget):
        yield RADIUS * np.eye(N)[3]
        raise RuntimeError("no such file\nsecond line")


def test_an_exception_is_a_flag_and_what_came_before_counts():
    found = audit.worst_case(gain, Y, RADIUS, key=KEY, attacks=(Raising(),))
    assert found.winner == "Raising" and abs(found.distance - 2 * RADIUS) <= 1e-5
    assert "Raising raised RuntimeError: no such file" in found.flags


def test_an_attack_that_finds_nothing_alone_is_one_clear_error():
    with pytest.raises(ValueError, match="attacks gave no perturbation of size 0.1: .*liar: left"):
        audit.worst_case(gain, Y, RADIUS, key=KEY, attacks=(Liar((np.ones(3),)),))
    with pytest.raises(ValueError, match="the list of attacks is empty"):
        audit.worst_case(gain, Y, RADIUS, key=KEY, attacks=())
    with pytest.raises(TypeError, match="attacks"):
        audit.worst_case(gain, Y, RADIUS, key=KEY, attacks=(gain,))


class Greedy(audit.AbstractAttack):
    """Asks without end, in three ways, and returns points without end."""

    way: str
    name = "greedy"

    def __call__(self, scene, radius, budget):
        while True:
            e = scene.random(radius)
            if self.way == "answers":
                scene.answer(e)
            if self.way == "gradients":
                e = scene.ascend(e, radius, 10_000).point
            yield e


@pytest.mark.parametrize("way", ["answers", "gradients", "points"])
def test_the_budget_is_kept(way):
    calls = []

    def counted(y):
        jax.debug.callback(lambda: calls.append(1))
        return gain(y)

    budget = audit.LEVELS["quick"].calls
    found = audit.worst_case(counted, Y, RADIUS, key=KEY, attacks=(Greedy(way),))
    assert found.calls <= budget + 2 and found.evaluations <= 2 * budget + 30
    assert np.isfinite(found.distance) and found.winner == "greedy"


def test_what_an_attack_is_told_of():
    """The radii from the largest, its own findings, and those of the attacks before it."""
    seen = []

    class Told(audit.AbstractAttack):
        def __call__(self, scene, radius, budget):
            seen.append((radius, len(scene.carried), len(scene.found), budget, scene.left))
            return [scene.random(radius)]

    scene = audit.scene_of(gain, Y, key=KEY)
    audit.chain(scene, (0.1, 0.3), attacks=(*audit.ATTACKS, Told()))
    assert [s[0] for s in seen] == [0.6, 0.3, 0.1]
    assert [s[1] for s in seen] == [0, 1, 1]
    assert seen[0][2] == 0 and seen[1][2] > 0 and seen[2][2] > 0
    assert all(s[3] == s[4] for s in seen)


def test_no_two_attacks_draw_the_same():
    points = []

    class Drawing(audit.AbstractAttack):
        tag: int

        def __call__(self, scene, radius, budget):
            points.append(scene.random(radius))
            return points[-1:]

    scene = audit.scene_of(gain, Y, key=KEY)
    audit.chain(scene, (0.1,), attacks=(Drawing(0), Drawing(1)), outer=())
    assert not np.array_equal(points[0], points[1])
    audit.chain(scene, (0.1,), attacks=(Drawing(0), Drawing(1)), outer=())
    np.testing.assert_array_equal(points[0], points[2])


def test_directions_of_my_own():
    """A direction that a gate answers to, given by the user, at any length."""
    way = RNG.standard_normal(N)
    gate = lambda y: 50 * jnp.maximum((y - Y) @ way - 0.9 * RADIUS * np.linalg.norm(way), 0)
    starts = audit.GradientAscent((audit.Directions((7 * way,), "my direction"),))
    found = audit.worst_case(gate, Y, RADIUS, key=KEY, attacks=(starts,))
    assert "my direction" in found.winner
    known = 50 * 0.1 * RADIUS * np.linalg.norm(way)
    np.testing.assert_allclose(found.distance, known, rtol=1e-3)


class InImages(audit.AbstractAttack):
    """`A r` for random images r: a perturbation that a change of the image could make."""

    def __call__(self, scene, radius, budget):
        image = scene.operator.in_structure()
        for _ in range(3):
            r = scene.draw.standard_normal(image.shape)
            yield scene.at(scene.operator.mv(jnp.asarray(r, image.dtype)), radius)


def test_an_attack_in_the_image_domain():
    """What it finds is in the range of A, for a map that sees all of the data."""
    A = operators.Matrix(jnp.asarray(RNG.standard_normal((N, 5))))
    target = audit.Target(gain, operator=A)
    found = audit.worst_case(target, Y, RADIUS, key=KEY, attacks=(InImages(),))
    basis = np.linalg.qr(np.asarray(A.matrix))[0]
    np.testing.assert_allclose(
        basis @ (basis.T @ found.perturbation), found.perturbation, atol=1e-6
    )
    np.testing.assert_allclose(found.distance, 2 * RADIUS, rtol=1e-5)
