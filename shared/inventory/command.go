package inventory

import "strings"

const plainLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// Command is a command line for a shell, in which names that others chose stay the
// one word that they are.
func Command(words ...string) string {
	line := make([]string, len(words))
	for i, w := range words {
		line[i] = quoted(w)
	}
	return strings.Join(line, " ")
}

// quoted is one word of a shell.
func quoted(word string) string {
	plain := func(r rune) bool { return !strings.ContainsRune(plainLetters+"@.:/=,+", r) }
	if word != "" && !strings.ContainsFunc(word, plain) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
