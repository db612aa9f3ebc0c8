package scan

import "golang.org/x/sys/cpu"

// fastest is the best kernel that this machine can run.
func fastest() kernel {
	if cpu.X86.HasAVX2 && cpu.X86.HasPCLMULQDQ && cpu.X86.HasPOPCNT && cpu.X86.HasBMI1 {
		return indexVector
	}
	return indexPortable
}

func indexVector(data []byte, c *carry, index []uint32) int {
	if len(data) < blockSize {
		return 0
	}
	return indexAVX2(&data[0], len(data)/blockSize, c, &index[0])
}

// indexAVX2 does what indexPortable does, to the bit, for blocks > 0 blocks that
// begin at data.
//
//go:noescape
func indexAVX2(data *byte, blocks int, c *carry, index *uint32) int
