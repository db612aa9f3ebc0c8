package scan

// none separates tokens between which there is nothing, but for white space.
const none = 0

// loose has what lies between tokens.
var loose = [256]bool{' ': true, '\t': true, '\n': true, '\r': true, ',': true, ':': true}

// adjacent reports whether the token that begins at data[at > 0] follows another
// one with nothing but the separator between.
func adjacent(data []byte, at int, separator byte) bool {
	before := data[at-1]
	if separator == none {
		return !loose[before]
	}
	return before == separator && at > 1 && !loose[data[at-2]]
}

// separated is adjacent but for white space around the separator.
func separated(data []byte, at int, separator byte) bool {
	at = trim(data, at)
	if separator != none {
		if at == 0 || data[at-1] != separator {
			return false
		}
		at = trim(data, at-1)
	}
	return at > 0 && !loose[data[at-1]]
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
