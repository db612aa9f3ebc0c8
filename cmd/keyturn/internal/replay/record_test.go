package replay

import (
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
)

func TestRecordOfATimeThatJSONCannotHave(t *testing.T) {
	if line, err := appendRecord(nil, "f", 1, &detect.Entry{Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Errorf("%s", line)
	}
	if line, err := appendRecord(nil, "f\"\xff", 1, &detect.Entry{}); err != nil || len(lines(t, line)) != 1 {
		t.Errorf("%s, %v", line, err)
	}
}
