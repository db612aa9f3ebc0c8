package scan

// gap is what separates a token from the one before it, besides white space.
type gap uint8

const (
	none gap = iota
	comma
	colon
	unsure // takes a look at more than one byte; after that look, it is nothing that may be
)

// gaps has what the byte before a token, in no string, tells of the gap.
type gaps [256]gap

var (
	// tight is for data in which no two bytes of gaps follow one another: one byte
	// tells all, unless it is white space.
	tight = gaps{',': comma, ':': colon, ' ': unsure, '\t': unsure, '\n': unsure, '\r': unsure}
	// wide is for all data.
	wide = gaps{',': unsure, ':': unsure, ' ': unsure, '\t': unsure, '\n': unsure, '\r': unsure}
)

// before returns the gap before the token at data[at > 0].
func (g *gaps) before(data []byte, at int) gap {
	if gap := g[data[at-1]]; gap != unsure {
		return gap
	}
	return wholeGap(data, at)
}

// wholeGap is before for gaps of any length.
func wholeGap(data []byte, at int) gap {
	at = trim(data, at)
	if at == 0 {
		return unsure
	}
	gap := tight[data[at-1]]
	if gap != none {
		if at = trim(data, at-1); at == 0 || wide[data[at-1]] != none {
			return unsure
		}
	}
	return gap
}

// trim returns where the white space begins that ends at data[at].
func trim(data []byte, at int) int {
	for at > 0 && (data[at-1] == ' ' || data[at-1] == '\t' || data[at-1] == '\n' || data[at-1] == '\r') {
		at--
	}
	return at
}

// quote returns where the string ends after which the next token begins at next.
func quote(data []byte, next int) int {
	end := next - 2 + int(quoted[data[next-1]]) // without white space
	for data[end] != '"' {
		end--
	}
	return end
}

// quoted is 1 for the quote, so that to look for it takes no guess.
var quoted = [256]uint8{'"': 1}
