package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	_ "example.com/keyturn" // registers them
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/spf13/cobra"
)

// functionsCommand serves the functions as the cloud does, in a process of their
// own that reads nothing but its environment. It ends when its standard input
// does, so that it never outlives the program that started it, and on SIGTERM. An
// interrupt is for the program that started it: a terminal sends it to both.
func (a *app) functionsCommand() *cobra.Command {
	var addr string
	c := &cobra.Command{
		Use:     "functions",
		Short:   "Serve the six functions, each at /<Name>, until standard input ends or SIGTERM",
		Example: "  keyturn functions --addr 127.0.0.1:8791",
		Args:    exactArgs(),
		Hidden:  true,
	}
	c.Flags().StringVar(&addr, "addr", "127.0.0.1:8791", "loopback host:port to listen on")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return fmt.Errorf("%w: address %q: %w", errUsage, addr, err)
		}
		terminated, stop := signal.NotifyContext(context.WithoutCancel(cmd.Context()), syscall.SIGTERM)
		defer stop()
		ended := make(chan error, 2)
		go func() { ended <- funcframework.StartHostPort(host, port) }()
		go func() {
			_, err := io.Copy(io.Discard, os.Stdin)
			ended <- err
		}()
		select {
		case err := <-ended:
			return err
		case <-terminated.Done():
			return nil
		}
	}
	return c
}
