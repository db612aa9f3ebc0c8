package rule

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"example.com/keyturn/shared/detect"
)

// record is an entry as the variables of an expression. It makes a value when an
// expression first asks for it, once for all rules.
type record struct {
	entry  *detect.Entry
	places map[string]int // of each field in values
	values []ref.Val      // nil was not asked for
}

func newRecord() record {
	r := record{places: make(map[string]int, len(fields)), values: make([]ref.Val, len(fields))}
	for i, f := range fields {
		r.places[f.Name] = i
	}
	return r
}

// reset makes it the record of e; of none, so that nothing is kept, when e is nil.
func (r *record) reset(e *detect.Entry) {
	r.entry = e
	clear(r.values)
}

// ResolveName implements cel.Activation.
func (r *record) ResolveName(name string) (any, bool) {
	i, ok := r.places[name]
	if !ok {
		return nil, false
	}
	if r.values[i] == nil {
		r.values[i] = fields[i].value(r.entry)
	}
	return r.values[i], true
}

// Parent implements cel.Activation.
func (r *record) Parent() cel.Activation { return nil }
