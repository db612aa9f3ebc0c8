package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"example.com/keyturn/cmd/keyturn/internal/sim"
	"github.com/spf13/cobra"
)

func (a *app) benchSimCommand() *cobra.Command {
	var seeds int
	var seed uint64
	c := &cobra.Command{
		Use:   "sim",
		Short: "Let everything go wrong that can, and check that no key is lost",
		Long: `sim runs the rotate function in random worlds, one a seed: calls fail, replies
are lost, processes are killed, messages come twice and out of order, lists are
stale, and people interfere by hand. After every remote call it judges the true
state of the embedded Google Cloud by the ten invariants of rotation. The same
seed always makes the same world. It exits with 0 only if no invariant was
broken.`,
		Example: "  keyturn bench sim --seeds 10000\n  keyturn bench sim --seed 42",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("seed") {
				return a.replay(seed)
			}
			return a.simulate(cmd.Context(), seeds)
		},
	}
	c.Flags().IntVar(&seeds, "seeds", 1000, "how many worlds, from seed 1 on")
	c.Flags().Uint64Var(&seed, "seed", 0, "only the world of this seed, with a line for all that happens in it")
	return c
}

func (a *app) simulate(ctx context.Context, seeds int) error {
	if seeds < 1 {
		return fmt.Errorf("%w: --seeds is %d: want at least 1", errUsage, seeds)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // worlds are small and many
	progress := newProgress(a.stderr)
	progress.Stage("simulating", seeds)
	r, err := sim.Run(ctx, sim.Config{Seeds: seeds, First: 1, Progress: progress.Advance})
	progress.finish()
	if ctx.Err() != nil {
		return errors.New("interrupted: not all seeds were judged")
	}
	if err == nil && r.Violations > 0 {
		err = fmt.Errorf("%d of %d worlds broke an invariant; 'keyturn bench sim --seed %d' tells the story of the first", r.Violations, r.Seeds, r.Failures[0].Seed)
	}
	if a.json {
		return a.printWithError(r, err)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(a.stdout, "seed %d: %v\n", f.Seed, f.Violation)
	}
	fmt.Fprintf(a.stdout, "%d seeds, %d remote calls, %d keys promoted, %d violations, %.1f s\n", r.Seeds, r.Calls, r.Rotations, r.Violations, r.Seconds)
	return err
}

// replay tells the story of one seed.
func (a *app) replay(seed uint64) error {
	story, err := sim.Replay(seed)
	if err == nil && story.Violation != nil {
		err = fmt.Errorf("seed %d broke %v", seed, *story.Violation)
	}
	if a.json {
		return a.printWithError(story, err)
	}
	for _, line := range story.Trace {
		fmt.Fprintln(a.stdout, line)
	}
	fmt.Fprintf(a.stdout, "%d remote calls, %d keys promoted\n", story.Calls, story.Rotations)
	return err
}
