//go:build !amd64

package scan

// fastest is the best kernel that this machine can run.
func fastest() kernel { return indexPortable }
