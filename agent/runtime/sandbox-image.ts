/**
 * 8. The built-in sandbox image: one static program of about 200 bytes, so that no node ever pulls anything to start a
 * pod and no compiler is needed. It holds the pod's namespaces, reaps orphans where the pod shares its pid namespace,
 * and exits at once on SIGTERM and SIGINT. Called by the runtimes' `ensureSandboxImage`. Pure.
 *
 * As process 1 it would never see a signal that has the default action, but blocked signals stay pending even there.
 * So it blocks the three it cares about and waits for them; no handler is needed. Change `sandboxImage` with the bytes.
 */

/** Reference under which the runtimes keep the image. */
export const sandboxImage = 'wherry/sandbox:1';
/** Path of the program in the image. */
export const sandboxCommand = '/sandbox';

export type Architecture = 'amd64' | 'arm64';

/** The signal set is one 64-bit word: SIGINT (bit 1), SIGTERM (bit 14), SIGCHLD (bit 16) = 0x14002. */
const programs: Record<Architecture, { machine: number; code: string }> = {
  amd64: {
    machine: 62, // EM_X86_64
    code: `
      68 02 40 01 00   push 0x14002        the signal set, on the stack
      48 89 e6         mov  rsi, rsp
      31 ff            xor  edi, edi       SIG_BLOCK
      31 d2            xor  edx, edx
      6a 08            push 8              size of the set
      41 5a            pop  r10
      6a 0e            push 14
      58               pop  rax
      0f 05            syscall             rt_sigprocmask(SIG_BLOCK, set, 0, 8)
      48 89 e7   wait: mov  rdi, rsp
      31 f6            xor  esi, esi
      31 d2            xor  edx, edx       no timeout
      6a 08            push 8
      41 5a            pop  r10
      b8 80 00 00 00   mov  eax, 128
      0f 05            syscall             rt_sigtimedwait(set, 0, 0, 8)
      83 f8 11         cmp  eax, 17        SIGCHLD
      74 0d            je   reap
      85 c0            test eax, eax
      78 e5            js   wait           interrupted: wait again
      31 ff            xor  edi, edi
      b8 e7 00 00 00   mov  eax, 231
      0f 05            syscall             exit_group(0)
      6a ff      reap: push -1
      5f               pop  rdi            any child
      31 f6            xor  esi, esi
      6a 01            push 1              WNOHANG
      5a               pop  rdx
      45 31 d2         xor  r10d, r10d
      6a 3d            push 61
      58               pop  rax
      0f 05            syscall             wait4(-1, 0, WNOHANG, 0)
      85 c0            test eax, eax
      7f ec            jg   reap           there may be more
      eb c6            jmp  wait`,
  },
  arm64: {
    machine: 183, // EM_AARCH64
    code: `
      ff 43 00 d1       sub  sp, sp, 16
      49 00 88 52       movz w9, 0x4002
      29 00 a0 72       movk w9, 1, lsl 16
      e9 03 00 f9       str  x9, [sp]       the signal set, on the stack
      00 00 80 d2       mov  x0, 0          SIG_BLOCK
      e1 03 00 91       mov  x1, sp
      02 00 80 d2       mov  x2, 0
      03 01 80 d2       mov  x3, 8          size of the set
      e8 10 80 d2       mov  x8, 135
      01 00 00 d4       svc  0              rt_sigprocmask(SIG_BLOCK, set, 0, 8)
      e0 03 00 91 wait: mov  x0, sp
      01 00 80 d2       mov  x1, 0
      02 00 80 d2       mov  x2, 0          no timeout
      03 01 80 d2       mov  x3, 8
      28 11 80 d2       mov  x8, 137
      01 00 00 d4       svc  0              rt_sigtimedwait(set, 0, 0, 8)
      1f 44 00 f1       cmp  x0, 17         SIGCHLD
      a0 00 00 54       b.eq reap
      00 ff ff b7       tbnz x0, 63, wait   interrupted: wait again
      00 00 80 d2       mov  x0, 0
      c8 0b 80 d2       mov  x8, 94
      01 00 00 d4       svc  0              exit_group(0)
      00 00 80 92 reap: mov  x0, -1         any child
      01 00 80 d2       mov  x1, 0
      22 00 80 d2       mov  x2, 1          WNOHANG
      03 00 80 d2       mov  x3, 0
      88 20 80 d2       mov  x8, 260
      01 00 00 d4       svc  0              wait4(-1, 0, WNOHANG, 0)
      1f 00 00 f1       cmp  x0, 0
      2c ff ff 54       b.gt reap           there may be more
      ec ff ff 17       b    wait`,
  },
};

/** The hexadecimal pairs at the start of each line of a listing. */
function assemble(listing: string): Buffer {
  const bytes = listing
    .split('\n')
    .map((line) => /^\s*((?:[0-9a-f]{2} )+)/.exec(`${line} `)?.[1] ?? '')
    .join('');
  return Buffer.from(bytes.replaceAll(' ', ''), 'hex');
}

const headerBytes = 64 + 56;
const loadAddress = 0x400000n;

/** The program as an ELF file: header, one loadable read-execute segment that is the whole file, code. */
export function sandboxProgram(architecture: Architecture): Buffer {
  const { machine, code: listing } = programs[architecture];
  const code = assemble(listing);
  const size = BigInt(headerBytes + code.length);
  const header = Buffer.alloc(headerBytes);
  header.write('\x7fELF', 0, 'latin1');
  header.set([2, 1, 1], 4); // 64 bit, little endian, version 1
  header.writeUInt16LE(2, 16); // ET_EXEC
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20); // version
  header.writeBigUInt64LE(loadAddress + BigInt(headerBytes), 24); // entry point
  header.writeBigUInt64LE(64n, 32); // the program header follows at once
  header.writeUInt16LE(64, 52); // size of this header
  header.writeUInt16LE(56, 54); // size of a program header
  header.writeUInt16LE(1, 56); // how many
  header.writeUInt16LE(64, 58); // size of a section header; there is none
  header.writeUInt32LE(1, 64); // PT_LOAD
  header.writeUInt32LE(5, 68); // read, execute
  header.writeBigUInt64LE(loadAddress, 80); // virtual address; the file offset before it is 0
  header.writeBigUInt64LE(loadAddress, 88);
  header.writeBigUInt64LE(size, 96); // bytes in the file
  header.writeBigUInt64LE(size, 104); // bytes in memory
  header.writeBigUInt64LE(0x10000n, 112); // alignment: the largest page of arm64
  return Buffer.concat([header, code]);
}

/** The root file system of the image as a tar archive: the program and nothing else. */
export function sandboxArchive(architecture: Architecture): Buffer {
  const program = sandboxProgram(architecture);
  const padding = Buffer.alloc((512 - (program.length % 512)) % 512);
  const end = Buffer.alloc(1024);
  return Buffer.concat([tarHeader(sandboxCommand.slice(1), program.length), program, padding, end]);
}

/** A ustar header of a regular file, mode 0755, of root, at the epoch. */
function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, offset: number, length: number): void => {
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1');
  };
  header.write(name, 0, 'latin1');
  octal(0o755, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  header.write('        0', 148, 'latin1'); // the checksum counts as spaces; then the type: a file
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}
