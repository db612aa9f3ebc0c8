//go:build race

package sim

// raced says that the race detector looks on, which makes everything slow.
const raced = true
