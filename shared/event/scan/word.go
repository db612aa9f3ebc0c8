package scan

// ends has the bytes that may follow a number or a literal.
var ends = [256]bool{' ': true, '\t': true, '\n': true, '\r': true, ',': true, ':': true, '}': true, ']': true, '{': true, '[': true}

// wordEnd returns where the number or literal that begins at data[at] ends; -1
// when it is neither.
func wordEnd(data []byte, at int) int {
	end := at
	switch data[at] {
	case 't':
		end = literalEnd(data, at, "true")
	case 'f':
		end = literalEnd(data, at, "false")
	case 'n':
		end = literalEnd(data, at, "null")
	default:
		end = numberEnd(data, at)
	}
	if end < 0 || end < len(data) && !ends[data[end]] {
		return -1
	}
	return end
}

func literalEnd(data []byte, at int, literal string) int {
	end := at + len(literal)
	if end > len(data) || string(data[at:end]) != literal {
		return -1
	}
	return end
}

func numberEnd(data []byte, at int) int {
	if data[at] == '-' {
		at++
	}
	whole := digits(data, at)
	if whole == at || data[at] == '0' && whole > at+1 {
		return -1
	}
	at = whole
	if at < len(data) && data[at] == '.' {
		fraction := digits(data, at+1)
		if fraction == at+1 {
			return -1
		}
		at = fraction
	}
	if at < len(data) && data[at]|0x20 == 'e' {
		return exponentEnd(data, at+1)
	}
	return at
}

func exponentEnd(data []byte, at int) int {
	if at < len(data) && (data[at] == '+' || data[at] == '-') {
		at++
	}
	end := digits(data, at)
	if end == at {
		return -1
	}
	return end
}

// digits returns where the digits that begin at data[at] end.
func digits(data []byte, at int) int {
	for at < len(data) && data[at]-'0' <= 9 {
		at++
	}
	return at
}
