#include "textflag.h"

// Bytes that pshufb finds by the low four bits of a byte: what equals its entry
// is white space, or a comma.
DATA spaces<>+0(SB)/8, $0x6464641164646420 // 20 at 0, and no match elsewhere
DATA spaces<>+8(SB)/8, $0x64640D2C640A0964 // 09, 0A, 2C and 0D at 9, A, C and D
GLOBL spaces<>(SB), RODATA|NOPTR, $16

// The same for brackets, with bit 5 set: 7B at B, 7D at D.
DATA brackets<>+0(SB)/8, $0x0000000000000000
DATA brackets<>+8(SB)/8, $0x00007D007B000000
GLOBL brackets<>(SB), RODATA|NOPTR, $16

// MASK gathers the tops of the 64 bytes in lo and hi into out.
#define MASK(lo, hi, out, tmp) \
	VPMOVMSKB lo, out  \
	VPMOVMSKB hi, tmp  \
	SHLQ      $32, tmp \
	ORQ       tmp, out

// EMIT writes where the lowest bit of AX is, and clears it. Where there is none,
// it writes what is written over or never read.
#define EMIT(at) \
	TZCNTQ AX, BX     \
	ADDL   R8, BX     \
	MOVL   BX, at(DI) \
	BLSRQ  AX, AX

#define EMIT8 \
	EMIT(0)  \
	EMIT(4)  \
	EMIT(8)  \
	EMIT(12) \
	EMIT(16) \
	EMIT(20) \
	EMIT(24) \
	EMIT(28)

// func indexAVX2(data *byte, blocks int, c *carry, index *uint32) int
//
// Of the carry: R8 base, R9 escaped, R10 inString, R11 scalar, R12 control, R14
// loose; Y14 holds all bytes ORed. The names in the comments are those of
// carry.starts in index.go.
TEXT ·indexAVX2(SB), NOSPLIT, $8-40
	MOVQ data+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVQ c+16(FP), DX
	MOVQ index+24(FP), DI
	MOVQ 0(DX), R8
	MOVQ 8(DX), R9
	MOVQ 16(DX), R10
	MOVQ 24(DX), R11
	MOVQ 32(DX), R12
	MOVQ 72(DX), R14
	MOVQ 80(DX), AX
	MOVQ AX, wide-8(SP)

	MOVQ           $0x2222222222222222, AX // "
	VMOVQ          AX, X8
	VPBROADCASTB   X8, Y8
	MOVQ           $0x5C5C5C5C5C5C5C5C, AX // \
	VMOVQ          AX, X9
	VPBROADCASTB   X9, Y9
	VBROADCASTI128 spaces<>(SB), Y10
	VBROADCASTI128 brackets<>(SB), Y11
	MOVQ           $0x2020202020202020, AX
	VMOVQ          AX, X12
	VPBROADCASTB   X12, Y12
	MOVQ           $0x1F1F1F1F1F1F1F1F, AX // the last control character
	VMOVQ          AX, X13
	VPBROADCASTB   X13, Y13
	MOVQ           $0x3A3A3A3A3A3A3A3A, AX // :
	VMOVQ          AX, X6
	VPBROADCASTB   X6, Y6
	VPXOR          Y14, Y14, Y14
	VPCMPEQB       Y7, Y7, Y7              // all ones

block:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VPOR    Y0, Y14, Y14
	VPOR    Y1, Y14, Y14

	// R13 = escapes
	VPCMPEQB Y0, Y9, Y2
	VPCMPEQB Y1, Y9, Y3
	MASK(Y2, Y3, AX, BX)
	TESTQ    AX, AX
	JNZ      backslashes
	MOVQ     R9, R13
	XORQ     R9, R9

escaped:
	// BX = quote, DX = inside
	VPCMPEQB   Y0, Y8, Y2
	VPCMPEQB   Y1, Y8, Y3
	MASK(Y2, Y3, BX, DX)
	NOTQ       R13
	ANDQ       R13, BX
	VMOVQ      BX, X4
	VPCLMULQDQ $0, X7, X4, X4              // prefixXOR
	VMOVQ      X4, DX
	XORQ       R10, DX
	MOVQ       DX, R10
	SARQ       $63, R10

	// control
	VPMINUB  Y0, Y13, Y2
	VPMINUB  Y1, Y13, Y3
	VPCMPEQB Y0, Y2, Y2
	VPCMPEQB Y1, Y3, Y3
	MASK(Y2, Y3, AX, R13)
	ANDQ     DX, AX
	ORQ      AX, R12

	// AX = bracket
	XORQ     BX, DX                        // tail
	VPSHUFB  Y0, Y11, Y2
	VPSHUFB  Y1, Y11, Y3
	VPOR     Y0, Y12, Y4
	VPOR     Y1, Y12, Y5
	VPCMPEQB Y2, Y4, Y2
	VPCMPEQB Y3, Y5, Y3
	MASK(Y2, Y3, AX, R13)

	// R13 = space
	VPSHUFB  Y0, Y10, Y2
	VPSHUFB  Y1, Y10, Y3
	VPCMPEQB Y0, Y2, Y2
	VPCMPEQB Y1, Y3, Y3
	VPCMPEQB Y0, Y6, Y4
	VPCMPEQB Y1, Y6, Y5
	VPOR     Y4, Y2, Y2
	VPOR     Y5, Y3, Y3
	MASK(Y2, Y3, R13, R15)

	// wide
	ANDNQ R13, DX, R15                     // loose
	LEAQ  (R14)(R15*2), R14
	ANDQ  R15, R14
	ORQ   R14, wide-8(SP)
	MOVQ  R15, R14
	SHRQ  $63, R14

	// R13 = plain
	ORQ  AX, R13
	NOTQ R13

	// AX = starts
	NOTQ BX
	ANDQ R13, BX                           // word
	LEAQ (R11)(BX*2), R15                  // follows
	MOVQ BX, R11
	SHRQ $63, R11
	NOTQ R15
	ANDQ R13, R15
	ORQ  R15, AX
	NOTQ DX
	ANDQ DX, AX

	// Eight at once, for that rarely is not enough and needs no guess of how many
	// there are.
	POPCNTQ AX, DX
	LEAQ    (DI)(DX*4), R15

emit:
	EMIT8
	ADDQ $32, DI
	CMPQ DI, R15
	JLT  emit
	MOVQ R15, DI

	ADDQ $64, R8
	ADDQ $64, SI
	DECQ CX
	JNZ  block

	MOVQ      c+16(FP), DX
	MOVQ      R8, 0(DX)
	MOVQ      R9, 8(DX)
	MOVQ      R10, 16(DX)
	MOVQ      R11, 24(DX)
	MOVQ      R12, 32(DX)
	MOVQ      R14, 72(DX)
	MOVQ      wide-8(SP), AX
	MOVQ      AX, 80(DX)
	VPMOVMSKB Y14, AX
	ORQ       AX, 48(DX)
	SUBQ      index+24(FP), DI
	SHRQ      $2, DI
	MOVQ      DI, ret+32(FP)
	VZEROUPPER
	RET

backslashes:
	// carry.escapes: R13 = escapes, R9 = escaped
	MOVQ c+16(FP), DX
	CMPQ 40(DX), $0
	JNE  2(PC)
	MOVQ R8, 56(DX)                        // first
	MOVQ R8, 64(DX)                        // last
	ORQ  AX, 40(DX)
	MOVQ R9, R13
	NOTQ R13
	ANDQ AX, R13                           // begin
	MOVQ $0xAAAAAAAAAAAAAAAA, BX
	LEAQ (R13)(R13*1), R15
	ORQ  BX, R15
	SUBQ R13, R15
	XORQ BX, R15                           // sequence
	MOVQ AX, R13
	ORQ  R9, R13
	XORQ R15, R13
	MOVQ R15, R9
	ANDQ AX, R9
	SHRQ $63, R9
	JMP  escaped
