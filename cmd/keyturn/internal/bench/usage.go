package bench

import (
	"fmt"
	"os"
	"strings"
)

// peakMB is the most memory that this program had, in MB; zero where the system
// does not tell.
func peakMB() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kb float64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		return 0
	}
	return kb / 1024
}

// ticksPerSecond is the unit of /proc, which is the same on every Linux.
const ticksPerSecond = 100

// cpuSeconds is the time that all cores together have worked for this program;
// zero where the system does not tell.
func cpuSeconds() float64 {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // the program's name may hold blanks
	var user, system float64
	if len(fields) < 13 {
		return 0
	}
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0
	}
	return (user + system) / ticksPerSecond
}
