package detect

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// A snapshot is made of parts, each after its length: a header, the policy
// changes, the open questions, the unnamed calls, the sketch of the forgotten, then every subject,
// and at last a part of no length, so that a snapshot that was cut off is known.
const (
	snapshotMagic = "keyturn detect 2\n"
	maxPart       = 1 << 27
)

var errSnapshot = errors.New("it is no snapshot of detectors, or was cut off: write it anew from the logs")

// Snapshot writes all that the Engine remembers, but for findings that were
// handed back and for who was where in the last minutes.
func (g *Engine) Snapshot(w io.Writer) error {
	out := bufio.NewWriter(w)
	part := func(b []byte) error {
		if _, err := out.Write(binary.AppendUvarint(nil, uint64(len(b)))); err != nil {
			return err
		}
		_, err := out.Write(b)
		return err
	}
	head := binary.AppendVarint(binary.AppendVarint([]byte(snapshotMagic), g.born), g.clock.now)
	for _, b := range [][]byte{head, g.changes.encode(), g.waiting.encode(), g.backlog.encode(), g.store.gone.encode()} {
		if err := part(b); err != nil {
			return fmt.Errorf("writing a snapshot: %w", err)
		}
	}
	if err := g.store.each(part); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	err := part(nil)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	return nil
}

// Merge takes in a snapshot, of this Engine's past or of another's: afterwards
// the Engine knows what both knew, in whatever order and however often it is
// done. When it fails it has taken in a part, which does no harm.
func (g *Engine) Merge(r io.Reader) error {
	in := bufio.NewReader(r)
	var parts [5]reader
	for i := range parts {
		b, err := nextPart(in)
		if err != nil {
			return fmt.Errorf("reading a snapshot: %w", err)
		}
		parts[i].rest = b
	}
	if err := g.mergeHead(parts); err != nil {
		return fmt.Errorf("reading a snapshot: %w", err)
	}
	for {
		record, err := nextPart(in)
		if err != nil {
			return fmt.Errorf("reading a snapshot: %w", err)
		}
		if record == "" {
			return nil
		}
		s, err := decodeSubject(record)
		if err != nil {
			return fmt.Errorf("reading a snapshot: %w", err)
		}
		g.store.get(s.name).join(s)
	}
}

func (g *Engine) mergeHead(parts [5]reader) error {
	head := &parts[0]
	if head.take(len(snapshotMagic)) != snapshotMagic {
		return errSnapshot
	}
	born, now := head.varint(), head.varint()
	changed, asked, held, gone := make(changes), newWaiting(), newBacklog(), sketch{}
	changed.decode(&parts[1])
	asked.decode(&parts[2])
	held.decode(&parts[3])
	gone.decode(&parts[4])
	for _, p := range parts {
		if p.broken || p.rest != "" {
			return errSnapshot
		}
	}
	g.born, g.clock.now = earliest(g.born, born), max(g.clock.now, now)
	for made := range changed {
		g.changes[made] = struct{}{}
	}
	g.changes.bound(maxChanges)
	for _, q := range asked.questions {
		g.waiting.add(q.wait, q.at, q.by)
	}
	for due, batch := range held.batches {
		for _, record := range batch.unnamed {
			g.backlog.holdCall(record, due)
		}
	}
	g.store.gone.join(&gone)
	return nil
}

// nextPart reads one part; "" is the end.
func nextPart(in *bufio.Reader) (string, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil || n > maxPart {
		return "", errSnapshot
	}
	b := make([]byte, 0, min(n, 1<<16))
	for uint64(len(b)) < n {
		chunk := min(n-uint64(len(b)), 1<<16)
		b = append(b, make([]byte, chunk)...)
		if _, err := io.ReadFull(in, b[uint64(len(b))-chunk:]); err != nil {
			return "", errSnapshot
		}
	}
	return string(b), nil
}

func (c changes) encode() []byte {
	var b []byte
	for _, made := range slices.SortedFunc(maps.Keys(c), change.order) {
		b = binary.AppendVarint(b, made.at)
		b = appendText(appendText(appendText(appendText(b, made.actor), made.member), made.project), made.on)
	}
	return b
}

func (c changes) decode(r *reader) {
	for r.rest != "" {
		c[change{r.varint(), r.text(), r.text(), r.text(), r.text()}] = struct{}{}
	}
}

func (w *waiting) encode() []byte {
	var b []byte
	for _, q := range w.questions {
		b = q.encode(b)
	}
	return b
}

func (q question) encode(b []byte) []byte {
	b = appendText(b, q.name)
	b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(b, q.detector), q.what)
	b = binary.AppendVarint(b, int64(q.day))
	return binary.AppendVarint(binary.AppendVarint(b, q.at), q.by)
}

func (w *waiting) decode(r *reader) {
	for r.rest != "" {
		q := r.question()
		w.add(q.wait, q.at, q.by)
	}
}

func (r *reader) question() question {
	return question{wait{r.text(), r.uint32(), r.uint64(), int32(r.varint())}, r.varint(), r.varint()}
}

// encode leaves out successes: they matter for some minutes, and if what was denied
// before came from elsewhere.
func (b *backlog) encode() (text []byte) {
	for due, batch := range b.batches {
		for _, record := range batch.unnamed {
			text = appendText(binary.AppendVarint(text, due), record)
		}
	}
	return text
}

func (b *backlog) decode(r *reader) {
	for r.rest != "" {
		due := r.varint()
		b.holdCall(r.text(), due)
	}
}

func (k *sketch) encode() []byte {
	if k.granted == nil {
		return nil
	}
	b := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(k.denials)), uint64(k.grants))
	for _, row := range k.denied {
		for _, c := range row {
			b = binary.LittleEndian.AppendUint64(b, c.near)
		}
	}
	for _, word := range k.granted {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

func (k *sketch) decode(r *reader) {
	if r.rest == "" {
		return
	}
	k.clear()
	k.denials, k.grants = int(r.uvarint()%(2*maxDenials)), int(r.uvarint()%(2*maxGrants))
	for _, row := range k.denied {
		for i := range row {
			row[i].near = r.uint64()
		}
	}
	for i := range k.granted {
		k.granted[i] = r.uint64()
	}
}
