package scan

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestKernelsAgree lets both kernels index what is dense in bytes that matter.
func TestKernelsAgree(t *testing.T) {
	const alphabet = "\"\"\"\\\\\\{}[]:,,  \t\r\n1at\x00\x01\x0c\x1a\x1f\x7f\x80\xff"
	random := rand.New(rand.NewPCG(1, 2))
	fast, portable := indexer{run: fastest()}, indexer{run: indexPortable}
	for range 20000 {
		data := make([]byte, random.IntN(300))
		sparse := random.IntN(8)
		for i := range data {
			data[i] = 'x'
			if random.IntN(sparse+1) == 0 {
				data[i] = alphabet[random.IntN(len(alphabet))]
			}
		}
		fast.index(data)
		portable.index(data)
		if !slices.Equal(fast.starts, portable.starts) || fast.carry.flags() != portable.carry.flags() || fast.carry.odd(len(data)) != portable.carry.odd(len(data)) {
			t.Fatalf("%q: %v, %+v; portably %v, %+v", data, fast.starts, fast.carry, portable.starts, portable.carry)
		}
	}
}
