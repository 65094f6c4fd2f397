/* embed.S - puts files into the read-only data of the program; base/embed.h names them. */
	.section .rodata

	.macro embed name, file
	.balign 16
	.global \name
	.type \name, @object
	.global \name\()_end
\name:
	.incbin "\file"
\name\()_end:
	.byte 0
	.size \name, \name\()_end - \name
	.endm

	embed embed_notices, build/gen/notices.txt
	embed embed_greeter, deploy/examples/greeter.sh

	.section .note.GNU-stack, "", @progbits
