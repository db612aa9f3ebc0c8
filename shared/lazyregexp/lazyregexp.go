// Package lazyregexp compiles regular expressions when they are first used. A function
// that starts cold does not wait for those it will not need: some take milliseconds.
package lazyregexp

import (
	"regexp"
	"sync"
)

// Regexp is an expression that is compiled once, on first use, by whichever goroutine
// comes first.
type Regexp struct {
	compiled func() *regexp.Regexp
}

// New is the expression in the syntax of package regexp. The first use of one that is
// not well-formed panics.
func New(expression string) *Regexp {
	return &Regexp{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })}
}

// MatchString is [regexp.Regexp.MatchString].
func (r *Regexp) MatchString(s string) bool { return r.compiled().MatchString(s) }

// FindStringSubmatch is [regexp.Regexp.FindStringSubmatch].
func (r *Regexp) FindStringSubmatch(s string) []string { return r.compiled().FindStringSubmatch(s) }

// ReplaceAllString is [regexp.Regexp.ReplaceAllString].
func (r *Regexp) ReplaceAllString(s, by string) string { return r.compiled().ReplaceAllString(s, by) }

// ReplaceAllStringFunc is [regexp.Regexp.ReplaceAllStringFunc].
func (r *Regexp) ReplaceAllStringFunc(s string, by func(string) string) string {
	return r.compiled().ReplaceAllStringFunc(s, by)
}

// FindStringIndex is [regexp.Regexp.FindStringIndex].
func (r *Regexp) FindStringIndex(s string) []int { return r.compiled().FindStringIndex(s) }

// String is the expression.
func (r *Regexp) String() string { return r.compiled().String() }
