"""What the notebooks share: the look of pictures, a slider that has a still picture too, two texts side by side."""

from html import escape

import matplotlib.pyplot as plt
from IPython.display import HTML, display


def set_style():
    """Pictures that fit a page."""
    look = {"figure.figsize": (6, 3.5), "figure.dpi": 110, "axes.grid": True, "grid.alpha": 0.3}
    plt.rcParams.update(look)


def slider(draw, label, values, stills):
    """Pictures of `draw(ax, value)` for the `stills`, and a slider over `values` where ipywidgets is there."""
    _, axes = plt.subplots(1, len(stills), figsize=(9, 3), layout="constrained", sharey=True)
    for ax, value in zip(axes, stills):
        draw(ax, value)
    plt.show()
    try:
        import ipywidgets
    except ImportError:
        return

    def redraw(value):
        draw(plt.subplots(figsize=(6, 3.2), layout="constrained")[1], value)
        plt.show()

    options = [(str(value), value) for value in values]
    chosen = ipywidgets.SelectionSlider(options=options, value=stills[0], description=label)
    display(ipywidgets.VBox([chosen, ipywidgets.interactive_output(redraw, {"value": chosen})]))


def side_by_side(**texts):
    """Texts in columns under their names."""
    cell = '<td style="vertical-align:top;text-align:left"><b>{}</b><pre style="font-family:monospace">{}</pre></td>'
    columns = "".join(cell.format(escape(name), escape(text)) for name, text in texts.items())
    display(HTML(f"<table><tr>{columns}</tr></table>"))
