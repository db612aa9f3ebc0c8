package detect

// Config is what an Engine works with. Its zero value is good for a log of up to
// a million subjects, of which nothing is known beforehand.
type Config struct {
	Subjects int     // that are remembered at most; 0 is 1,000,000
	Hot      int     // subjects of them that are kept decoded; 0 is 4096
	Ledger   *Ledger // what the rotator knows of its credentials; nil is nothing
	Rules    RuleSet // custom rules; nil is none
}

// Engine runs all detectors over a stream of entries. It is not safe for
// concurrent use.
type Engine struct {
	config Config
	states map[Key]State
	again  []Finding
}

// New returns an Engine that has seen nothing yet.
func New(c Config) *Engine {
	return &Engine{config: c, states: make(map[Key]State)}
}

// Observe takes one entry into account and appends to into what it brought to
// light. Entries may come late, twice and out of order. Nothing of e is kept:
// its texts may change after the call.
func (g *Engine) Observe(e *Entry, into []Finding) []Finding {
	into = append(into, g.again...)
	g.again = nil
	key, ok := KeyOf(*e)
	if !ok {
		return into
	}
	next, found := Observe(Limits{}, g.states[key], *e)
	g.states[key] = next
	return append(into, found...)
}

// Flush appends what is still held back, such as a failure that turned into a
// success and may yet be explained by a grant that comes late. Call it at the
// end of a log; a stream that goes on brings everything to light by itself.
func (g *Engine) Flush(into []Finding) []Finding {
	into = append(into, g.again...)
	g.again = nil
	return into
}

// Again takes back findings that could not be told: the next Observe or Flush
// appends them once more.
func (g *Engine) Again(findings ...Finding) {
	g.again = append(g.again, findings...)
}
