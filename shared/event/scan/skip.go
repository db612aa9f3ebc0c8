package scan

// class is what a token is, by its first byte.
type class uint8

const (
	text class = iota + 1 // 0 begins no token
	scalar
	beginObject
	beginArray
	endObject
	endArray
)

var classes = [256]class{
	'"': text, '{': beginObject, '[': beginArray, '}': endObject, ']': endArray, '-': scalar, 't': scalar, 'f': scalar, 'n': scalar,
	'0': scalar, '1': scalar, '2': scalar, '3': scalar, '4': scalar, '5': scalar, '6': scalar, '7': scalar, '8': scalar, '9': scalar,
}

// Skip goes over a value of any type, and validates it.
func (s *Scanner) Skip() {
	switch class := classes[s.peek()]; class {
	case text:
		s.next++
	case scalar:
		s.word(int(s.index[s.next]))
	case beginObject, beginArray:
		if s.next = s.nestedEnd(class); s.next < 0 {
			s.fail()
		}
	default:
		s.fail()
	}
}

// nestedEnd returns the token after the array or object at the current one; -1
// when that is not valid. It is a loop, not a recursion, and where it is in an
// entry is where it is in the code, rather than a state to wait for: most of an
// entry is skipped.
func (s *Scanner) nestedEnd(inside class) int {
	data, index, gaps := s.data, s.index[:len(s.index)-1], s.gaps
	around, separator := s.around[:0], none
	for k := s.next + 1; k < len(index); k++ {
		at := int(index[k])
		class, gap := classes[data[at]], gaps.before(data, at)
		if class == inside+(endObject-beginObject) && gap == none {
			last := len(around) - 1
			if last < 0 {
				return k + 1
			}
			inside, around, separator = around[last], around[:last], comma
			continue
		}
		if gap != separator {
			return -1
		}
		if inside == beginObject {
			if k++; class != text || k == len(index) {
				return -1
			}
			if at = int(index[k]); gaps.before(data, at) != colon {
				return -1
			}
			class = classes[data[at]]
		}
		separator = comma
		switch class {
		case text:
		case scalar:
			if wordEnd(data, at) < 0 {
				return -1
			}
		case beginObject, beginArray:
			around = append(around, inside)
			if s.around = around[:0]; s.depth+len(around) == maxDepth {
				return -1
			}
			inside, separator = class, none
		default:
			return -1
		}
	}
	return -1
}
