package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"example.com/keyturn/shared/detect"
)

func TestDetectorTable(t *testing.T) {
	got := detectorTable(usual)
	fitsTerminal(t, got)
	for _, d := range detect.Detectors() {
		if !strings.Contains(got, d.Name) {
			t.Errorf("%s is not listed", d.Name)
		}
	}
	if !regexp.MustCompile(`(?m)^stolen-old-key +critical +3 d +Consumers`).MatchString(detectorTable(unbroken)) || strings.Contains(got, "0 d") {
		t.Errorf("how long detectors learn is not told:\n%s", got)
	}
	if lines := strings.Count(detectorTable(unbroken), "\n"); lines != len(detect.Detectors()) {
		t.Errorf("%d lines for %d detectors, where no terminal breaks them", lines, len(detect.Detectors()))
	}
}

func TestDetectorsThatCannotBeShown(t *testing.T) {
	for _, more := range [][]string{nil, {"--json"}} {
		var stderr bytes.Buffer
		if code := run(t.Context(), append([]string{"audit", "detectors"}, more...), full{}, &stderr); code != exitFailed || !strings.Contains(stderr.String(), errFull.Error()) {
			t.Errorf("%q: exit code %d, %s", more, code, &stderr)
		}
	}
}
