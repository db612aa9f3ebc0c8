package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ask puts a question on standard error, and is content with one answer, which is
// called what where it is another one.
func (a *app) ask(ctx context.Context, in io.Reader, question, want, what string) error {
	fmt.Fprint(a.stderr, question)
	answer, err := readLine(ctx, in)
	if strings.TrimSpace(answer) == want {
		return nil
	}
	fmt.Fprintln(a.stderr)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: nothing was done")
	case errors.Is(err, io.EOF) && answer == "":
		return fmt.Errorf("%w: nobody answered, and nothing was done; give --yes where nobody can be asked", errUsage)
	}
	return fmt.Errorf("that is not %s: nothing was done", what)
}

// readLine reads a line, but not for longer than ctx lasts. What still waits for
// the rest of it then ends with the program.
func readLine(ctx context.Context, in io.Reader) (line string, err error) {
	read := make(chan struct{})
	var text string
	var failed error
	go func() {
		defer close(read)
		text, failed = bufio.NewReader(in).ReadString('\n')
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-read:
		return text, failed
	}
}
