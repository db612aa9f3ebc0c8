package scan

// state says what may come next; the first ones are not states of their own but
// tell what there is to do.
type state uint8

const (
	invalid state = iota
	word          // a number or literal comes
	enterObject
	enterArray
	leave
	firstKey     // or the end of the object
	value        // of a key
	afterValue   // a key, or the end of the object
	firstElement // or the end of the array
	afterElement // an element, or the end of the array
)

// separators has what comes between a state and its token, unless that ends an
// object or array.
var separators = [...]byte{firstKey: none, value: ':', afterValue: ',', firstElement: none, afterElement: ','}

// table has what the first byte of a token does to a state.
var table = [...][256]state{
	firstKey:   {'"': value, '}': leave},
	afterValue: {'"': value, '}': leave},
	value: {'"': afterValue, '{': enterObject, '[': enterArray, '-': word, 't': word, 'f': word, 'n': word,
		'0': word, '1': word, '2': word, '3': word, '4': word, '5': word, '6': word, '7': word, '8': word, '9': word},
	firstElement: {'"': afterElement, '{': enterObject, '[': enterArray, ']': leave, '-': word, 't': word, 'f': word, 'n': word,
		'0': word, '1': word, '2': word, '3': word, '4': word, '5': word, '6': word, '7': word, '8': word, '9': word},
	afterElement: {'"': afterElement, '{': enterObject, '[': enterArray, ']': leave, '-': word, 't': word, 'f': word, 'n': word,
		'0': word, '1': word, '2': word, '3': word, '4': word, '5': word, '6': word, '7': word, '8': word, '9': word},
}

// Skip goes over a value of any type, and validates it.
func (s *Scanner) Skip() {
	switch table[value][s.peek()] {
	case afterValue:
		s.next++
	case word:
		s.word(int(s.index[s.next]))
	case enterObject, enterArray:
		s.skipNested()
	default:
		s.fail()
	}
}

// skipNested goes over an array or object. It is a loop, not a recursion, and has
// one table to look at for most tokens, because most of an entry is skipped.
func (s *Scanner) skipNested() {
	data, index, after := s.data, s.index[:len(s.index)-1], append(s.after[:0], afterValue)
	expected := firstKey
	if s.peek() == '[' {
		after[0], expected = afterElement, firstElement
	}
	for k := s.next + 1; k < len(index); k++ {
		at := int(index[k])
		to := table[expected][data[at]]
		separator := separators[expected]
		if to == leave {
			separator = none
		}
		if !adjacent(data, at, separator) && !separated(data, at, separator) {
			break
		}
		if to == value && k+1 < len(index) {
			if v := int(index[k+1]); data[v-1] == ':' && data[v-2] == '"' {
				k++
				at, to = v, table[value][data[v]]
			}
		}
		switch {
		case to > leave:
			expected = to
			continue
		case to == word:
			if wordEnd(data, at) < 0 {
				s.fail()
				return
			}
		case to == leave:
			after = after[:len(after)-1]
			if len(after) == 0 {
				s.next, s.after = k+1, after
				return
			}
		case to == invalid || s.depth+len(after) == maxDepth:
			s.fail()
			return
		case to == enterObject:
			after = append(after, afterValue)
			expected = firstKey
			continue
		default:
			after = append(after, afterElement)
			expected = firstElement
			continue
		}
		expected = after[len(after)-1]
	}
	s.fail()
}
