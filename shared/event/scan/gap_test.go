package scan

import "testing"

// TestGaps looks at the gap before the last byte, in both ways where it is tight.
func TestGaps(t *testing.T) {
	for data, want := range map[string]gap{
		`{"`: none, `,"`: unsure, `1,"`: comma, `":1`: colon, `1 "`: none, `1 ,"`: comma, "1\n,\t\r \"": comma, `" : 1`: colon,
		`1,,"`: unsure, `1, ,"`: unsure, `":,1`: unsure, ` "`: unsure, `{}}`: none,
	} {
		if got := wide.before([]byte(data), len(data)-1); got != want {
			t.Errorf("%q: %v, want %v", data, got, want)
		}
		var x indexer
		x.run = indexPortable
		if x.index([]byte(data)); x.carry.wide == 0 && want != unsure && tight.before([]byte(data), len(data)-1) != want {
			t.Errorf("%q: %v while it is tight, want %v", data, tight.before([]byte(data), len(data)-1), want)
		}
	}
}

// TestWide holds what fills the last block against what is in it.
func TestWide(t *testing.T) {
	for data, want := range map[string]bool{`{"a":1}`: false, `{"a": 1}`: true, `{"a":",, "}`: false, "[1,\n2]": true, "[1] ": false, "[1]\r\n": true} {
		for _, run := range []kernel{indexPortable, fastest()} {
			x := indexer{run: run}
			if x.index([]byte(data)); (x.carry.wide != 0) != want {
				t.Errorf("%q: wide is %x, want %t", data, x.carry.wide, want)
			}
		}
	}
}
