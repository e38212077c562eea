# The first sector of the guest's disk: loads what the table below it names through the BIOS and starts the kernel by
# the 16-bit protocol (Linux, Documentation/arch/x86/boot.rst). A general boot loader needed five seconds for the same
# under TCG, because it reads small pieces and changes the processor's mode for each.
#
# The table lies at 0x7d80 (offset 0x180): entries of first sector, sectors, address, 4 bytes each, little-endian;
# zero sectors end it. The partition table follows at 0x1be. hack/guest/disk.ts writes both.
        .code16
        .globl  _start
        .set    BUFFER, 0x10000         # read here, below 1 MiB, then copied to where it belongs
        .set    PIECE, 128              # sectors a read: SeaBIOS refuses more than 64 KiB
        .set    SETUP, 0x9000           # segment of the kernel's real-mode part

_start: ljmp    $0, $start
start:  cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7c00, %sp
        movb    %dl, drive
        inb     $0x92, %al              # the A20 line, in case the BIOS left it shut
        orb     $2, %al
        andb    $0xfe, %al
        outb    %al, $0x92
        movw    $0x7d80, %bp

entry:  movl    4(%bp), %ecx            # sectors left
        testl   %ecx, %ecx
        jz      run
        movl    (%bp), %eax             # next sector
        movl    8(%bp), %edi            # next address
piece:  movl    $PIECE, %ebx
        cmpl    %ebx, %ecx
        jae     read
        movl    %ecx, %ebx
read:   movw    %bx, packet_count
        movl    %eax, packet_sector
        pushal
        movb    $0x42, %ah              # extended read
        movb    drive, %dl
        movw    $packet, %si
        sti
        int     $0x13
        cli
        jc      failed
        popal
        pushal
        # Segments that reach 4 GiB in real mode. Each read anew: the BIOS may have set them back.
        lgdt    gdt
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        jmp     1f
1:      movw    $8, %dx
        movw    %dx, %ds
        movw    %dx, %es
        andb    $0xfe, %al
        movl    %eax, %cr0
        jmp     1f
1:      xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movl    $BUFFER, %esi
        movzwl  %bx, %ecx
        shll    $7, %ecx                # 128 words of 4 bytes a sector
        cld
        addr32 rep movsl
        popal
        addl    %ebx, %eax
        subl    %ebx, %ecx
        shll    $9, %ebx
        addl    %ebx, %edi
        testl   %ecx, %ecx
        jnz     piece
        addw    $12, %bp
        jmp     entry

run:    movw    $SETUP, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movw    $0xe000, %sp            # below the command line at 0x9e000
        ljmp    $SETUP + 0x20, $0

failed: movw    $text, %si              # on the first serial port: there may be no screen
2:      lodsb
        testb   %al, %al
        jz      3f
        movw    $0x3f8, %dx
        outb    %al, %dx
        jmp     2b
3:      hlt
        jmp     3b

text:   .asciz  "ppn guest: the disk cannot be read\r\n"
        .balign 4
packet: .byte   16, 0
packet_count:
        .word   0
        .word   0, BUFFER >> 4          # offset, segment
packet_sector:
        .long   0, 0
gdt:    .word   15                      # the unused first entry holds the pointer itself
        .long   gdt
        .word   0
        .word   0xffff, 0, 0x9200, 0x00cf
drive:  .byte   0
