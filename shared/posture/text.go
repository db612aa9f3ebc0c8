package posture

import (
	"fmt"
	"time"
)

const day = 24 * time.Hour

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + "Z" }

func counted(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
