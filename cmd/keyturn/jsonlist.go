package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
)

var errNotLast = errors.New("the list to fill is not the report's last field, or not empty")

// printList prints a report as printJSON does, whose last field is an empty list,
// with the entries in it. They are encoded one by one: together, they may be many
// times as large as what they are made of.
func printList[T any](a *app, report any, entries iter.Seq[T]) error {
	var text bytes.Buffer
	if err := jsonEncoder(&text, "").Encode(report); err != nil {
		return err
	}
	head, ok := bytes.CutSuffix(text.Bytes(), []byte("[]\n}\n"))
	if !ok {
		return errNotLast
	}
	buffered := bufio.NewWriter(a.stdout)
	out := printable{buffered}
	_, _ = out.Write(head) // an error stays, and Flush tells it
	if err := writeList(out, entries); err != nil {
		return err
	}
	_, _ = out.Write([]byte("\n}\n"))
	return buffered.Flush()
}

// writeList writes a list that is a field of an object.
func writeList[T any](out io.Writer, entries iter.Seq[T]) error {
	var text bytes.Buffer
	enc := jsonEncoder(&text, "    ")
	before, end := "[\n    ", "[]"
	for e := range entries {
		text.Reset()
		text.WriteString(before)
		if err := enc.Encode(e); err != nil {
			return err
		}
		if _, err := out.Write(bytes.TrimSuffix(text.Bytes(), []byte("\n"))); err != nil {
			return err
		}
		before, end = ",\n    ", "\n  ]"
	}
	_, err := io.WriteString(out, end)
	return err
}
