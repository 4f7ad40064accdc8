/*
 * The first sector of a test disk: a guest that needs no kernel. It reads the second sector,
 * which holds a text, and prints "clonebox-bios: ready nonce=TEXT" on the first serial port
 * about once a second for ever. That proves which disk (and overlay) the guest booted from.
 * It reads the sector anew each time, so that what is printed is what the disk holds now.
 *
 * ext4 leaves the first 1024 bytes of its device free, so a file system fits on the same disk.
 *
 * as --32 and ld -m elf_i386 -Ttext 0x7c00 --oformat binary make exactly 512 bytes of it.
 */

	.code16
	.text
	.globl _start

	.set SERIAL, 0x3f8
	.set TICKS, 0x46c	/* BIOS data area: 18.2 timer ticks a second */
	.set BUFFER, 0x8000

_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7c00, %sp
	ljmp $0, $1f
1:	sti
	cld
	movb %dl, drive

	/* 115200 baud, 8 data bits, no parity, one stop bit; no interrupts. */
	movw $(SERIAL + 1), %dx
	xorb %al, %al
	outb %al, %dx
	movw $(SERIAL + 3), %dx
	movb $0x80, %al
	outb %al, %dx
	movw $SERIAL, %dx
	movb $1, %al
	outb %al, %dx
	incw %dx
	xorb %al, %al
	outb %al, %dx
	movw $(SERIAL + 3), %dx
	movb $3, %al
	outb %al, %dx
	movw $(SERIAL + 4), %dx
	outb %al, %dx

	/* The BIOS may have left its own line unfinished. */
	movw $newline, %si
	call print

again:
	movb $0x42, %ah
	movb drive, %dl
	movw $packet, %si
	int $0x13
	jc unreadable
	movw $ready, %si
	call print
	movb $0, BUFFER + 127	/* a bound, should the sector hold something else */
	movw $BUFFER, %si
	call print
	jmp rest

unreadable:
	movw $error, %si
	call print

rest:
	movw $newline, %si
	call print
	movw TICKS, %bx
	addw $18, %bx
2:	hlt
	movw TICKS, %ax
	subw %bx, %ax
	js 2b
	jmp again

/* Prints the string at %si. */
print:
	lodsb
	testb %al, %al
	jz 4f
	movb %al, %ah
	movw $(SERIAL + 5), %dx
3:	inb %dx, %al
	testb $0x20, %al
	jz 3b
	movb %ah, %al
	movw $SERIAL, %dx
	outb %al, %dx
	jmp print
4:	ret

ready:	.asciz "clonebox-bios: ready nonce="
error:	.asciz "clonebox-bios: cannot read the disk"
newline: .asciz "\r\n"
drive:	.byte 0

	/* Disk address packet: one sector, the second one, to BUFFER. */
	.balign 4
packet:	.byte 16, 0
	.word 1
	.word BUFFER, 0
	.quad 1

	/* No partitions: the table's place stays zero, only the signature is there. */
	.org 510
	.word 0xaa55
