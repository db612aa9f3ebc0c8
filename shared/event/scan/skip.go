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
	firstKey // or the end of the object
	anyKey
	colon
	member      // the value of a key
	afterMember // a comma or the end of the object
	firstElement
	element
	afterElement
)

// table has what the first byte of a token does to a state.
var table = [...][256]state{
	firstKey: {'"': colon, '}': leave},
	anyKey:   {'"': colon},
	colon:    {':': member},
	member: {'"': afterMember, '{': enterObject, '[': enterArray, '-': word, 't': word, 'f': word, 'n': word,
		'0': word, '1': word, '2': word, '3': word, '4': word, '5': word, '6': word, '7': word, '8': word, '9': word},
	afterMember: {',': anyKey, '}': leave},
	firstElement: {'"': afterElement, '{': enterObject, '[': enterArray, ']': leave, '-': word, 't': word, 'f': word, 'n': word,
		'0': word, '1': word, '2': word, '3': word, '4': word, '5': word, '6': word, '7': word, '8': word, '9': word},
	element: {'"': afterElement, '{': enterObject, '[': enterArray, '-': word, 't': word, 'f': word, 'n': word,
		'0': word, '1': word, '2': word, '3': word, '4': word, '5': word, '6': word, '7': word, '8': word, '9': word},
	afterElement: {',': element, ']': leave},
}

// Skip goes over a value of any type, and validates it.
func (s *Scanner) Skip() {
	switch c := s.peek(); table[element][c] {
	case afterElement:
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
	data, index, after := s.data, s.index[:len(s.index)-1], s.after[:0]
	expected := element
	for k := s.next; k < len(index); k++ {
		at := int(index[k])
		expected = table[expected][data[at]]
		switch {
		case expected > leave:
			continue
		case expected == word:
			if wordEnd(data, at) < 0 {
				s.fail()
				return
			}
		case expected == leave:
			after = after[:len(after)-1]
			if len(after) == 0 {
				s.next, s.after = k+1, after
				return
			}
		case expected == invalid || s.depth+len(after) == maxDepth:
			s.fail()
			return
		case expected == enterObject:
			after = append(after, afterMember)
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
