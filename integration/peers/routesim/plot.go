// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// probesPlotted are the probes a request for which ours is plotted.
var probesPlotted = []float64{0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5}

// loadsProbed are the loads at which it is.
var loadsProbed = []float64{0.70, 1.27, 1.74}

// plots measures, and draws what the documentation shows: the tail against the load for all
// policies, and ours against the probes that it may send.
func (p *plan) plots(stdout io.Writer) error {
	byLoad, err := p.measure()
	if err != nil {
		return err
	}
	byProbes, err := p.byProbes()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.plot, 0o755); err != nil { //nolint:gosec // pictures for everybody
		return err
	}
	for _, picture := range []struct {
		file          string
		panels        []*plot.Plot
		keys          []series
		width, height vg.Length
	}{
		{"routing-load.svg", tailsByLoad(byLoad, p.policies), keysOf(p.policies), 10.4 * vg.Inch, 4.6 * vg.Inch},
		{"routing-probes.svg", tailsByProbes(byProbes), byProbes, 10.4 * vg.Inch, 3.8 * vg.Inch},
	} {
		file := filepath.Join(p.plot, picture.file)
		svg, err := drawn(picture.panels, picture.keys, picture.width, picture.height)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, svg, 0o644); err != nil { //nolint:gosec // as above
			return err
		}
		fmt.Fprintln(stdout, file)
	}
	return nil
}

// firstLoadStyle is that of the first load in the second picture.
const firstLoadStyle = 4

// series is a line in a plot.
type series struct {
	name      string
	style     int
	p99, p999 plotter.XYs
}

// byProbes measures ours over Prequal's tail, for each load a line against the probes.
func (p *plan) byProbes() ([]series, error) {
	q := *p
	q.loads, q.policies = loadsProbed, []string{prequal}
	theirs, err := q.measure()
	if err != nil {
		return nil, err
	}
	lines := make([]series, len(loadsProbed))
	q.policies = []string{adaptive}
	for _, probes := range probesPlotted {
		q.ours.probes = probes
		figures, err := q.measure()
		if err != nil {
			return nil, err
		}
		for i, f := range figures {
			lines[i].name, lines[i].style = fmt.Sprintf("load %.2f", f.Load), firstLoadStyle+i
			lines[i].p99 = append(lines[i].p99, plotter.XY{X: probes, Y: float64(f.P99 / theirs[i].P99)})
			lines[i].p999 = append(lines[i].p999, plotter.XY{X: probes, Y: float64(f.P999 / theirs[i].P999)})
		}
	}
	return lines, nil
}

func tailsByProbes(lines []series) []*plot.Plot {
	ticks := []float64{0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 3, 4}
	var panels []*plot.Plot
	for _, tail := range []struct {
		title string
		of    func(series) plotter.XYs
	}{{"p99", func(s series) plotter.XYs { return s.p99 }}, {"p99.9", func(s series) plotter.XYs { return s.p999 }}} {
		panel := panelOf(tail.title+" over Prequal's with 3 probes", "probes a request, at most", []float64{0, 1, 2, 3, 4, 5}, ticks)
		even := plotter.NewFunction(func(float64) float64 { return 1 })
		even.XMin, even.XMax, even.Samples = 0, probesPlotted[len(probesPlotted)-1], 2
		even.LineStyle = draw.LineStyle{Color: color.Gray{90}, Width: vg.Points(1), Dashes: []vg.Length{vg.Points(4), vg.Points(3)}}
		panel.Add(even)
		for _, s := range lines {
			add(panel, tail.of(s), s.style)
		}
		panels = append(panels, panel)
	}
	return panels
}

func tailsByLoad(all []figures, policies []string) []*plot.Plot {
	ticks := []float64{200, 300, 400, 500, 700, 1000, 2000, 3000, 5000}
	var panels []*plot.Plot
	for _, tail := range []struct {
		title string
		of    func(figures) millis
	}{{"p99", func(f figures) millis { return f.P99 }}, {"p99.9", func(f figures) millis { return f.P999 }}} {
		panel := panelOf(tail.title+" in ms (deadline 5000)", "load", loadsOf(all), ticks)
		for style, name := range policies {
			var line plotter.XYs
			for _, f := range all {
				if f.Policy == name {
					line = append(line, plotter.XY{X: f.Load, Y: float64(tail.of(f))})
				}
			}
			slices.SortFunc(line, func(a, b plotter.XY) int { return int(1000 * (a.X - b.X)) })
			add(panel, line, style)
		}
		panels = append(panels, panel)
	}
	return panels
}

func keysOf(policies []string) []series {
	keys := make([]series, len(policies))
	for i, name := range policies {
		keys[i] = series{name: name, style: i}
	}
	return keys
}

func loadsOf(all []figures) []float64 {
	var loads []float64
	for _, f := range all {
		if !slices.Contains(loads, f.Load) {
			loads = append(loads, f.Load)
		}
	}
	return loads
}

// panelOf returns an empty plot with a logarithmic scale.
func panelOf(title, x string, xs, ys []float64) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text = title, x
	p.Y.Scale = plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticksAt(xs), ticksAt(ys)
	p.Title.TextStyle.Font = sans(12)
	p.Title.Padding = vg.Points(6)
	p.X.Label.TextStyle.Font = sans(11)
	p.X.Tick.Label.Font, p.Y.Tick.Label.Font = sans(10), sans(10)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	return p
}

func ticksAt(values []float64) plot.ConstantTicks {
	ticks := make(plot.ConstantTicks, len(values))
	for i, v := range values {
		ticks[i] = plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', -1, 64)}
	}
	return ticks
}

func sans(size float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
}

// palette is Okabe and Ito's, which most eyes can tell apart, with greys for chance.
var palette = []color.RGBA{
	{150, 150, 150, 255}, {95, 95, 95, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {0, 158, 115, 255},
	{0, 114, 178, 255}, {204, 121, 167, 255}, {213, 94, 0, 255}, {0, 0, 0, 255}, {240, 228, 66, 255},
}

var shapes = []draw.GlyphDrawer{
	draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{},
	draw.BoxGlyph{}, draw.CrossGlyph{}, draw.CircleGlyph{},
}

// linesOf returns how a series is drawn.
func linesOf(style int) (draw.LineStyle, draw.GlyphStyle) {
	c := palette[style%len(palette)]
	return draw.LineStyle{Color: c, Width: vg.Points(2)}, draw.GlyphStyle{Color: c, Radius: vg.Points(3), Shape: shapes[style%len(shapes)]}
}

func add(p *plot.Plot, line plotter.XYs, style int) {
	if len(line) == 0 {
		return
	}
	l := &plotter.Line{XYs: line}
	s := &plotter.Scatter{XYs: line}
	l.LineStyle, s.GlyphStyle = linesOf(style)
	p.Add(l, s)
}

// drawn lays panels side by side, with the keys at their right, and returns the SVG.
func drawn(panels []*plot.Plot, keys []series, width, height vg.Length) ([]byte, error) {
	const margin, keyWidth = vg.Length(8), vg.Length(92)
	c := vgsvg.NewWith(vgsvg.UseWH(width, height))
	dc := draw.New(c)
	dc.SetColor(color.White)
	dc.Fill(dc.Path())
	each := (width - keyWidth - margin) / vg.Length(len(panels))
	for i, p := range panels {
		left := margin + each*vg.Length(i)
		p.Draw(draw.Crop(dc, left, left+each-width-margin, margin, -margin))
	}
	legend := plot.NewLegend()
	legend.TextStyle.Font = sans(11)
	legend.Top, legend.Left = true, true
	legend.Padding = vg.Points(3)
	for _, k := range keys {
		l, s := &plotter.Line{}, &plotter.Scatter{}
		l.LineStyle, s.GlyphStyle = linesOf(k.style)
		legend.Add(k.name, l, s)
	}
	legend.Draw(draw.Crop(dc, width-keyWidth, 0, 0, -vg.Points(36)))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, err
	}
	// Who looks at it may not have the fonts that it was laid out with.
	svg := bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	return svg, nil
}
