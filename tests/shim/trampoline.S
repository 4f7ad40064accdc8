/*
 * One exported symbol per row of calls.def. All of them lead to one routine that asks cb_shim_before()
 * what is to be done, without knowing what the arguments are.
 *
 * A call that does not count goes on with a jump: the function finds registers and stack as they were.
 * A call that counts must come back here. It gets its register arguments again and a copy of the words
 * that may be stack arguments. (Putting our address in the place of the caller's would save the copy;
 * but then nothing could walk the stack any more: no debugger, no sanitizer, no cancelled thread.)
 */
#define STACK_WORDS 16

/* The frame, from rsp upwards; rsp is a multiple of 16. */
#define ARGUMENTS 0
#define CALL      (STACK_WORDS * 8)
#define VALUE     (CALL + 8)
#define COUNTS    (CALL + 16)
#define GENERAL   (CALL + 64)
#define VECTOR    (GENERAL + 64)
#define FRAME     (VECTOR + 128)

	.macro stub name
	.globl	\name
	.type	\name, @function
	.p2align 4
\name:
	.cfi_startproc
	endbr64
	leaq	cb_shim_row_\name(%rip), %r11
	jmp	enter
	.cfi_endproc
	.size	\name, . - \name
	.endm

	.macro reload
	movq	GENERAL+0(%rsp), %rdi
	movq	GENERAL+8(%rsp), %rsi
	movq	GENERAL+16(%rsp), %rdx
	movq	GENERAL+24(%rsp), %rcx
	movq	GENERAL+32(%rsp), %r8
	movq	GENERAL+40(%rsp), %r9
	movq	GENERAL+48(%rsp), %rax
	movq	GENERAL+56(%rsp), %r10
	movaps	VECTOR+0(%rsp), %xmm0
	movaps	VECTOR+16(%rsp), %xmm1
	movaps	VECTOR+32(%rsp), %xmm2
	movaps	VECTOR+48(%rsp), %xmm3
	movaps	VECTOR+64(%rsp), %xmm4
	movaps	VECTOR+80(%rsp), %xmm5
	movaps	VECTOR+96(%rsp), %xmm6
	movaps	VECTOR+112(%rsp), %xmm7
	.endm

	.text
	.type	enter, @function
	.p2align 4
enter:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	subq	$FRAME, %rsp

	/* rax: a variadic function reads the number of vector arguments in al */
	movq	%rdi, GENERAL+0(%rsp)
	movq	%rsi, GENERAL+8(%rsp)
	movq	%rdx, GENERAL+16(%rsp)
	movq	%rcx, GENERAL+24(%rsp)
	movq	%r8, GENERAL+32(%rsp)
	movq	%r9, GENERAL+40(%rsp)
	movq	%rax, GENERAL+48(%rsp)
	movq	%r10, GENERAL+56(%rsp)
	movaps	%xmm0, VECTOR+0(%rsp)
	movaps	%xmm1, VECTOR+16(%rsp)
	movaps	%xmm2, VECTOR+32(%rsp)
	movaps	%xmm3, VECTOR+48(%rsp)
	movaps	%xmm4, VECTOR+64(%rsp)
	movaps	%xmm5, VECTOR+80(%rsp)
	movaps	%xmm6, VECTOR+96(%rsp)
	movaps	%xmm7, VECTOR+112(%rsp)

	movq	8(%rbp), %rax
	movq	%rax, CALL(%rsp)
	leaq	CALL(%rsp), %rdi
	movq	%r11, %rsi
	call	cb_shim_before
	testq	%rax, %rax
	jz	refused
	movq	%rax, %r11
	cmpq	$0, COUNTS(%rsp)
	jne	counted

	reload
	.cfi_remember_state
	leave
	.cfi_def_cfa %rsp, 8
	jmp	*%r11
	.cfi_restore_state

refused:
	movq	VALUE(%rsp), %rax
	.cfi_remember_state
	leave
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_restore_state

counted:
	leaq	16(%rbp), %rsi
	leaq	ARGUMENTS(%rsp), %rdi
	movl	$STACK_WORDS, %ecx
	rep movsq
	reload
	call	*%r11

	movq	%rax, VALUE(%rsp)
	movq	%rdx, GENERAL+0(%rsp)
	movaps	%xmm0, VECTOR+0(%rsp)
	movaps	%xmm1, VECTOR+16(%rsp)
	leaq	CALL(%rsp), %rdi
	call	cb_shim_after
	movq	VALUE(%rsp), %rax
	movq	GENERAL+0(%rsp), %rdx
	movaps	VECTOR+0(%rsp), %xmm0
	movaps	VECTOR+16(%rsp), %xmm1
	leave
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size	enter, . - enter

#define CB_CALL(name, class, returns) stub name
#include "calls.def"

	.section .note.GNU-stack, "", @progbits
