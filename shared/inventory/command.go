package inventory

import (
	"slices"
	"strings"
)

const plainLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// command is a command line for a shell. Names that others chose are quoted, so
// that they stay the one word that they are.
func command(words ...string) string {
	for i, w := range words {
		words[i] = quoted(w)
	}
	return strings.Join(words, " ")
}

// Command is a command line for a shell, in which names that others chose stay the
// one word that they are.
func Command(words ...string) string { return command(slices.Clone(words)...) }

// quoted is one word of a shell.
func quoted(word string) string {
	plain := func(r rune) bool { return !strings.ContainsRune(plainLetters+"@.:/=,+", r) }
	if word != "" && !strings.ContainsFunc(word, plain) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
