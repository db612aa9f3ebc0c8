package replay

import "fmt"

// want is the next step after a file that holds no log entries, or parts of them.
const want = "give whole entries, one a line or as an array, as 'gcloud logging read FILTER --format=json' and log sinks write them"

// part is what one file adds to a tally.
type part struct{ decoded, rejected, untimed, logs int64 }

// since is what was counted after before was copied.
func (t *tally) since(before tally) part {
	return part{t.Decoded - before.Decoded, t.Rejected - before.Rejected, t.Untimed - before.Untimed, t.logs - before.logs}
}

// usable reports why nothing, or too little to go by, can be found in a file.
func (p part) usable(name string) error {
	switch {
	case p.decoded == 0 && p.rejected == 0:
		return fmt.Errorf("%s is empty: its JSON holds no entry; %s", name, want)
	case p.decoded == 0:
		return fmt.Errorf("%s holds no log entry: all that is in it, %d in number, was rejected; %s", name, p.rejected, want)
	case p.rejected > p.decoded:
		return fmt.Errorf("%s is for the most part no log entries: %d were decoded, %d rejected; %s", name, p.decoded, p.rejected, want)
	case p.decoded > 0 && p.logs == 0:
		return fmt.Errorf("%s holds JSON, but no log entries: none of its %d objects has a logName; %s", name, p.decoded, want)
	case p.decoded > 0 && p.untimed == p.decoded:
		return fmt.Errorf("%s holds no entry that can be judged: none of its %d entries has a timestamp of this century; %s", name, p.decoded, want)
	}
	return nil
}
