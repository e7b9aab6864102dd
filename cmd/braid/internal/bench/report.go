package bench

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// row is one line of the table.
type row struct {
	work string
	// figure is what was measured, floor what the floor did.
	figure, floor, ratio string
	p50, p99             string
	processor            string
	target               string
	met                  string
}

// report is what a run found.
type report struct {
	version string
	// judged is false for a run too small to say anything about time.
	judged   bool
	machine  []string
	settings []string
	before   usage
	during   usage
	took     time.Duration
	rows     []row
}

func (r *report) add(line row) {
	if !r.judged {
		line.target, line.met = "", ""
	}
	r.rows = append(r.rows, line)
}

// addCompared adds what the product did against its floor. The ratio is the median of the rounds', each of which ran
// within seconds: that is what holds on a machine whose speed changes.
func (r *report) addCompared(one *compared, wanted string, holds func(ratio float64, p99 time.Duration) bool) {
	if len(one.results) == 0 || len(one.results) != len(one.floors) {
		return // It was not asked for, or its floor was not.
	}
	var ratios, rates, floors []float64
	var p50, p99 []time.Duration
	for i, result := range one.results {
		rates = append(rates, result.rate())
		floors = append(floors, one.floors[i].rate())
		ratios = append(ratios, result.rate()/one.floors[i].rate())
		p50, p99 = append(p50, result.quantile(.5)), append(p99, result.quantile(.99))
	}
	ratio := median(ratios)
	line := row{
		work: one.work, figure: perSecond(median(rates)), floor: perSecond(median(floors)), ratio: fmt.Sprintf("%.2f", ratio),
		p50: milliseconds(median(p50)), p99: milliseconds(median(p99)), target: wanted, met: met(holds(ratio, median(p99))),
	}
	line.processor = processorText(one.results) + " / " + processorText(one.floors)
	r.add(line)
}

// processorText is what one request took of the cores: the server's process and PostgreSQL.
func processorText(outcomes []outcome) string {
	var server, database []time.Duration
	for _, one := range outcomes {
		server, database = append(server, one.processor), append(database, one.database)
	}
	return fmt.Sprintf("%d+%d µs", median(server).Microseconds(), median(database).Microseconds())
}

var header = []string{"work", "measured", "floor", "ratio", "p50", "p99", "processor per request: Braid+PostgreSQL / floor", "target", "met"}

func (l row) cells() []string {
	return []string{l.work, l.figure, l.floor, l.ratio, l.p50, l.p99, l.processor, l.target, l.met}
}

// table is for a terminal.
func (r *report) table() string {
	lines := [][]string{header}
	for _, line := range r.rows {
		lines = append(lines, line.cells())
	}
	widths := make([]int, len(header))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	text := &strings.Builder{}
	fmt.Fprintln(text)
	for _, line := range lines {
		for i, cell := range line {
			text.WriteString("  " + cell + strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		text.WriteString("\n")
	}
	fmt.Fprintf(text, "\n  before: %s\n  during: %s\n  took %s\n", r.before.text(), r.during.text(), r.took.Round(time.Second))
	if r.loud() {
		fmt.Fprintln(text, "  "+loudWarning)
	}
	return text.String()
}

const loudWarning = "Others used the cores during this run: only the ratios count, and even they less than usual."

func (r *report) loud() bool { return r.before.loud() || r.during.loud() }

// markdown is for docs/benchmarks.
func (r *report) markdown() string {
	text := &strings.Builder{}
	fmt.Fprintf(text, "# The latest run of `make bench`\n\nWritten by `braid bench` (%s) on %s. It took %s.\n", r.version,
		time.Now().UTC().Format("2 January 2006"), r.took.Round(time.Second))
	if r.loud() {
		fmt.Fprintf(text, "\n**%s**\n", loudWarning)
	}
	fmt.Fprintf(text, "\n| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat("---|", len(header)))
	for _, line := range r.rows {
		fmt.Fprintf(text, "| %s |\n", strings.Join(line.cells(), " | "))
	}
	fmt.Fprintf(text, "\n## Machine\n\n")
	for _, line := range r.machine {
		fmt.Fprintf(text, "- %s\n", line)
	}
	fmt.Fprintf(text, "- before: %s\n- during: %s\n\n## Settings\n\n", r.before.text(), r.during.text())
	for _, line := range r.settings {
		fmt.Fprintf(text, "- %s\n", line)
	}
	return text.String()
}

// median returns the middle of values, zero of none.
func median[Value cmp.Ordered](values []Value) Value {
	var middle Value
	if len(values) > 0 {
		sorted := slices.Sorted(slices.Values(values))
		middle = sorted[len(sorted)/2]
	}
	return middle
}

func met(holds bool) string {
	if holds {
		return "yes"
	}
	return "no"
}

func perSecond(rate float64) string { return fmt.Sprintf("%.0f/s", rate) }

func seconds(duration time.Duration) string { return fmt.Sprintf("%.2f s", duration.Seconds()) }

func milliseconds(duration time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(duration.Microseconds())/1000)
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.0f MB", float64(bytes)/(1<<20)) }

// shown is a short time, with the digits that matter.
func shown(duration time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(duration.Nanoseconds())/1e6)
}

func medianRate(outcomes []outcome) float64 {
	var rates []float64
	for _, one := range outcomes {
		rates = append(rates, one.rate())
	}
	return median(rates)
}

func medianQuantile(outcomes []outcome, share float64) time.Duration {
	var all []time.Duration
	for _, one := range outcomes {
		all = append(all, one.quantile(share))
	}
	return median(all)
}

// addMeanwhile adds what others' requests took while something heavy went on, against what they took just before, round
// by round.
func (r *report) addMeanwhile(work string, calm, meanwhile []outcome, most float64) {
	var ratios []float64
	for i := range meanwhile {
		ratios = append(ratios, meanwhile[i].quantile(.99).Seconds()/calm[i].quantile(.99).Seconds())
	}
	ratio := median(ratios)
	r.add(row{
		work: work, figure: "p99 " + shown(medianQuantile(meanwhile, .99)), floor: "p99 " + shown(medianQuantile(calm, .99)), ratio: fmt.Sprintf("%.2f", ratio),
		p50: milliseconds(medianQuantile(meanwhile, .5)), p99: milliseconds(medianQuantile(meanwhile, .99)),
		target: fmt.Sprintf("p99 ≤ %.1f× without", most), met: met(ratio <= most),
	})
}
