package bench

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is the unit of times in /proc, which Linux has fixed for programs.
const ticksPerSecond = 100

func ticks(count uint64) time.Duration { return time.Duration(count) * time.Second / ticksPerSecond }

// describeMachine says what the figures were taken on. What the system does not tell is left out.
func describeMachine(directory string) []string {
	lines := []string{fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())}
	if model := fileField("/proc/cpuinfo", "model name"); model != "" {
		lines[0] = model + ", " + lines[0]
	}
	if memory := fileField("/proc/meminfo", "MemTotal"); memory != "" {
		kilobytes, _ := strconv.Atoi(strings.TrimSuffix(memory, " kB"))
		lines = append(lines, fmt.Sprintf("%.0f GB of memory", float64(kilobytes)/(1<<20)))
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		lines = append(lines, "Linux "+strings.TrimSpace(string(release)))
	}
	if took, err := timeSync(directory); err == nil {
		lines = append(lines, fmt.Sprintf("one write of 8 KB and fsync on the disk of the data takes %s", took.Round(10*time.Microsecond)))
	}
	return lines
}

// timeSync measures what durability costs on this disk: without it the figures of writes say little.
func timeSync(directory string) (time.Duration, error) {
	file, err := os.CreateTemp(directory, "sync-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	defer func() { _ = file.Close() }()
	const writes = 20
	page := make([]byte, 8<<10)
	started := time.Now()
	for range writes {
		if _, err := file.Write(page); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
	}
	return time.Since(started) / writes, nil
}

// fileField returns the value of the first "name: value" line.
func fileField(path, name string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, value, found := strings.Cut(lines.Text(), ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// residentMemory is what a process holds in memory, in bytes, the pages of its program included; 0 when the system does
// not tell.
func residentMemory(pid int) int64 { return memoryField(pid, "VmRSS") }

// mostMemory is the most it has held since it began.
func mostMemory(pid int) int64 { return memoryField(pid, "VmHWM") }

func memoryField(pid int, field string) int64 {
	kilobytes, _ := strconv.ParseInt(strings.TrimSuffix(fileField(fmt.Sprintf("/proc/%d/status", pid), field), " kB"), 10, 64)
	return kilobytes << 10
}

// usage is how the cores were used over a while.
type usage struct {
	known bool
	// foreign is the share of all cores that processes took which are not ours; stolen is what the machine itself was
	// not given.
	foreign, stolen float64
	load            string
}

// quietShare is how much of the cores others may take before a run says so.
const quietShare = 0.05

func (u usage) text() string {
	if !u.known {
		return "unknown"
	}
	return fmt.Sprintf("others took %.0f %% of the cores, %.0f %% were stolen by the host, load average %s", 100*u.foreign, 100*u.stolen, u.load)
}

func (u usage) loud() bool { return u.known && u.foreign+u.stolen > quietShare }

// machineWatch compares what all processes did with what ours did.
type machineWatch struct {
	started           time.Time
	busy, stolen, own time.Duration
}

func watchMachine() machineWatch {
	busy, stolen := machineTime()
	return machineWatch{started: time.Now(), busy: busy, stolen: stolen, own: familyTime()}
}

func (w machineWatch) since() usage {
	busy, stolen := machineTime()
	if busy == 0 {
		return usage{}
	}
	total := time.Since(w.started).Seconds() * float64(runtime.NumCPU())
	load, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(load), " ")
	return usage{
		known:   true,
		foreign: max(0, (busy-w.busy-(familyTime()-w.own)).Seconds()/total),
		stolen:  max(0, (stolen-w.stolen).Seconds()/total),
		load:    first,
	}
}

// machineTime is the time that processes were given on all cores since the machine started, and the time stolen.
func machineTime() (busy, stolen time.Duration) {
	content, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(content), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return 0, 0
	}
	// user, nice, system, idle, iowait, irq, softirq, steal
	read := func(field int) time.Duration {
		value, _ := strconv.ParseUint(fields[field], 10, 64)
		return ticks(value)
	}
	return read(1) + read(2) + read(3), read(8)
}

// processStat is what /proc tells of a process.
type processStat struct {
	parent int
	// own is its time, reaped that of its children which have ended.
	own, reaped time.Duration
}

func readProcess(pid int) (processStat, bool) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return processStat{}, false
	}
	// The name may hold anything, a parenthesis too: fields are counted from the last one.
	_, rest, found := strings.Cut(string(content[strings.LastIndex(string(content), ")"):]), " ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 15 {
		return processStat{}, false
	}
	number := func(field int) uint64 {
		value, _ := strconv.ParseUint(fields[field], 10, 64)
		return value
	}
	return processStat{parent: int(number(1)), own: ticks(number(11) + number(12)), reaped: ticks(number(13) + number(14))}, true
}

// processorTime is what a process has used.
func processorTime(pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	stat, _ := readProcess(pid)
	return stat.own
}

// familyTime is what this process and everything it started have used.
func familyTime() time.Duration { return timeBelow(os.Getpid()) }

// timeBelow is what a process and all below it have used.
func timeBelow(ancestor int) time.Duration {
	if ancestor == 0 {
		return 0
	}
	paths, _ := filepath.Glob("/proc/[0-9]*")
	all := make(map[int]processStat, len(paths))
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		if stat, ok := readProcess(pid); ok {
			all[pid] = stat
		}
	}
	var total time.Duration
	for pid, stat := range all {
		if descends(all, pid, ancestor) {
			total += stat.own + stat.reaped
		}
	}
	return total
}

func descends(all map[int]processStat, pid, ancestor int) bool {
	for range 64 {
		if pid == ancestor {
			return true
		}
		stat, ok := all[pid]
		if !ok || stat.parent == 0 {
			return false
		}
		pid = stat.parent
	}
	return false
}
