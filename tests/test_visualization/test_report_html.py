"""The page holds everything itself."""

import base64
import re
from pathlib import Path

from matplotlib.figure import Figure

from elva.visualization.report_html import Picture, Section, Table, data_uri, write_page


def figure() -> Figure:
    made = Figure(figsize=(2, 1))
    made.subplots().plot([0, 1])
    return made


def test_a_page_names_no_other_file_or_host(tmp_path: Path) -> None:
    pictures = [Picture(figure(), "a line", "one\ntwo"), Picture(figure(), "again", kind="png")]
    sections = [Section("Pictures", ["Text", *pictures, Table([["a", "b"], ["1", "2"]])])]
    write_page(tmp_path / "page.html", "Title", sections, warning="Careful")
    page = (tmp_path / "page.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(sources) == 2
    assert all(source.startswith("data:image/") for source in sources)
    assert "<link" not in page
    assert "<script" not in page
    assert "one<br>two" in page
    assert '<p class="warning">Careful</p>' in page
    assert "<tr><th>a</th><th>b</th></tr>\n<tr><td>1</td><td>2</td></tr>" in page


def test_what_a_model_said_cannot_be_markup(tmp_path: Path) -> None:
    hostile = '<script>x</script> & "'
    write_page(tmp_path / "p.html", hostile, [Section(hostile, [hostile, Picture(figure(), hostile, hostile)])])
    page = (tmp_path / "p.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_pictures_are_encoded_as_what_they_say() -> None:
    for kind, mime, magic in (("svg", "image/svg+xml", b"<?xml"), ("png", "image/png", b"\x89PNG")):
        head, data = data_uri(figure(), kind).split(",")
        assert head == f"data:{mime};base64"
        assert base64.b64decode(data).startswith(magic)
