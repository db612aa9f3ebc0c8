//go:build !race

// Package raced tells tests whether the race detector looks on, which makes
// everything slow and everything large.
package raced

// Detector says that the race detector looks on.
const Detector = false
