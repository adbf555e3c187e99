"""Pictures: what stands where."""

from itertools import combinations, pairwise

import pytest
from code_insight.web.drawing.layers import Box, layered
from code_insight.web.drawing.treemap import HEIGHT, WIDTH, Cell, Node, treemap


def folder(name: str, *children: Node) -> Node:
    return Node(name, name, sum(child.weight for child in children), list(children))


def files(count: int, weight: float = 10, prefix: str = "f") -> list[Node]:
    return [Node(f"{prefix}{at}", f"{prefix}{at}", weight) for at in range(count)]


def overlap(one: Cell | Box, other: Cell | Box) -> bool:
    apart_x = one.x + one.width <= other.x + 1e-6 or other.x + other.width <= one.x + 1e-6
    apart_y = one.y + one.height <= other.y + 1e-6 or other.y + other.height <= one.y + 1e-6
    return not apart_x and not apart_y


def test_the_area_of_a_file_is_its_share_of_the_lines() -> None:
    cells = treemap(folder("", *(Node(str(weight), str(weight), weight) for weight in (600, 300, 80, 20))))
    for cell in cells:
        assert cell.width * cell.height == pytest.approx(cell.node.weight / 1000 * WIDTH * HEIGHT)


def test_cells_fill_the_whole_and_do_not_overlap() -> None:
    cells = treemap(folder("", *(Node(str(at), str(at), 1 + at % 7) for at in range(60))))
    assert sum(cell.width * cell.height for cell in cells) == pytest.approx(WIDTH * HEIGHT)
    assert not any(overlap(one, other) for one, other in combinations(cells, 2))


def test_cells_are_nearly_square() -> None:
    cells = treemap(folder("", *files(50)))
    assert max(max(cell.width / cell.height, cell.height / cell.width) for cell in cells) < 2


def test_what_is_in_a_folder_is_drawn_in_it_and_after_it() -> None:
    root = folder("", folder("a", *files(5, prefix="a/")), folder("b", *files(3, prefix="b/")))
    cells = {cell.node.path: cell for cell in treemap(root)}
    outer, inner = cells["a"], cells["a/0"]
    assert outer.is_open
    assert list(cells).index("a") < list(cells).index("a/0")
    assert outer.x <= inner.x
    assert inner.x + inner.width <= outer.x + outer.width
    assert outer.y < inner.y
    assert inner.y + inner.height <= outer.y + outer.height


def test_ten_thousand_small_files_are_one_cell_that_says_so() -> None:
    (cell,) = treemap(folder("", *files(10_000)))
    assert (cell.node.path, cell.more) == ("", 10_000)


def test_the_small_ones_are_together_and_the_large_ones_stay() -> None:
    cells = treemap(folder("", Node("large", "large", 1_000_000), *files(500, 1)))
    assert [(cell.node.path, cell.more) for cell in cells] == [("large", 0), ("", 500)]


def test_nothing_is_drawn_of_nothing() -> None:
    assert treemap(folder("")) == []
    assert treemap(folder("", Node("empty", "empty", 0))) == []


# Layers.


def test_arrows_point_down() -> None:
    picture = layered([60, 60, 60], {(0, 1): 1, (1, 2): 1})
    tops = [box.y for box in picture.boxes]
    assert tops == sorted(tops)
    assert all(curve[0][1] < curve[-1][1] for curve in picture.curves)
    assert picture.is_back == (False, False)


def test_of_a_circle_the_lightest_arrow_points_up() -> None:
    picture = layered([60, 60, 60], {(0, 1): 9, (1, 2): 9, (2, 0): 1})
    assert picture.is_back == (False, False, True)
    assert picture.curves[2][0][1] > picture.curves[2][-1][1]


def test_an_arrow_that_others_imply_is_not_drawn() -> None:
    picture = layered([60, 60, 60], {(0, 1): 1, (1, 2): 1, (0, 2): 1})
    assert [bool(curve) for curve in picture.curves] == [True, True, False]


def test_of_two_that_import_each_other_one_arrow_is_drawn() -> None:
    picture = layered([60, 60], {(0, 1): 5, (1, 0): 1})
    assert [bool(curve) for curve in picture.curves] == [False, True]
    assert picture.is_back == (False, True)


def test_boxes_do_not_touch_and_are_inside_of_the_picture() -> None:
    arrows = {(a, b): 1.0 for a in range(20) for b in range(a + 1, 20) if (a * 7 + b * 3) % 5 == 0}
    picture = layered([50 + 9 * at for at in range(20)], arrows)
    assert not any(overlap(one, other) for one, other in combinations(picture.boxes, 2))
    for box in picture.boxes:
        assert box.x >= 0
        assert box.x + box.width <= picture.width
        assert box.y >= 0
        assert box.y + box.height <= picture.height


def test_an_arrow_begins_and_ends_at_the_edges_of_its_boxes() -> None:
    picture = layered([60] * 4, {(0, 1): 1, (1, 2): 1, (2, 3): 1, (3, 0): 0.5})
    for (source, target), curve in zip([(0, 1), (1, 2), (2, 3)], picture.curves, strict=False):
        upper, lower = picture.boxes[source], picture.boxes[target]
        assert curve[0] == (upper.x + upper.width / 2, upper.y + upper.height)
        assert curve[-1] == (lower.x + lower.width / 2, lower.y)


def test_two_pairs_do_not_cross() -> None:
    picture = layered([60] * 4, {(0, 3): 1, (1, 2): 1})
    middles = [box.x + box.width / 2 for box in picture.boxes]
    assert (middles[0] < middles[1]) == (middles[3] < middles[2])


def test_a_long_chain_and_many_sinks_are_drawn_too() -> None:
    chain = layered([60] * 300, dict.fromkeys(pairwise(range(300)), 1.0))
    assert len({box.y for box in chain.boxes}) == 300
    fan = layered([60] * 60, {(0, at): 1.0 for at in range(1, 60)})
    assert len({box.y for box in fan.boxes}) > 5  # folded into rows


def test_an_empty_graph_is_an_empty_picture() -> None:
    assert layered([], {}).boxes == ()
