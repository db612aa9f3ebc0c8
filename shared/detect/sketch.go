package detect

// sketch remembers a little of the subjects that had to be forgotten, in bounded
// memory: what they were denied, so that a slow prober that was forgotten does
// not begin anew, and what they were granted. It errs towards having seen more,
// and unions like everything else.
type sketch struct {
	denied  [2][]crowd // distinct denials of all subjects that share a cell: of the two cells of a subject the emptier counts
	granted []uint64   // a Bloom filter of (subject, permission)
	denials int        // in denied, about
	grants  int        // in granted, about
}

// A sketch that is too full begins anew, for it would take every subject for a
// known one. The numbers keep its errors at one in twenty.
const (
	sketchCells = 1 << 14
	sketchBits  = 1 << 23
	maxDenials  = sketchCells / 4
	maxGrants   = sketchBits / 8
)

func (k *sketch) take(s *subject) {
	if k.granted == nil || k.denials > maxDenials || k.grants > maxGrants {
		k.clear()
	}
	name := hash(s.name)
	k.denials += len(s.of(deniedPermission))
	k.grants += len(s.granted)
	for row := range k.denied {
		for _, d := range s.of(deniedPermission) {
			k.denied[row][cell(name, row)].add(d.what)
		}
	}
	for _, g := range s.granted {
		i := stir(name ^ uint64(g.pair))
		k.granted[i%sketchBits/64] |= 1 << (i & 63)
		j := i >> 32
		k.granted[j%sketchBits/64] |= 1 << (j & 63)
	}
}

func (k *sketch) clear() {
	*k = sketch{denied: [2][]crowd{make([]crowd, sketchCells), make([]crowd, sketchCells)}, granted: make([]uint64, sketchBits/64)}
}

func cell(name uint64, row int) uint64 { return name >> (20 * row) % sketchCells }

// before is how many distinct denials a subject may have had before it was forgotten.
func (k *sketch) before(name string) int {
	if k.granted == nil {
		return 0
	}
	h := hash(name)
	a, b := k.denied[0][cell(h, 0)], k.denied[1][cell(h, 1)]
	return linear(a.near & b.near)
}

// had reports whether a forgotten subject may have been granted a permission.
func (k *sketch) had(name string, pair uint64) bool {
	if k.granted == nil {
		return false
	}
	i := stir(hash(name) ^ uint64(uint32(pair)))
	j := i >> 32
	return k.granted[i%sketchBits/64]>>(i&63)&1 == 1 && k.granted[j%sketchBits/64]>>(j&63)&1 == 1
}

func (k *sketch) join(other *sketch) {
	if other.granted == nil {
		return
	}
	if k.granted == nil {
		k.clear()
	}
	k.denials, k.grants = k.denials+other.denials, k.grants+other.grants
	for row := range k.denied {
		for i := range k.denied[row] {
			k.denied[row][i] = k.denied[row][i].join(other.denied[row][i])
		}
	}
	for i := range k.granted {
		k.granted[i] |= other.granted[i]
	}
}
