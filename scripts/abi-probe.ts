/**
 * Compares every number in ffi/ with what a C program says that includes the system's headers.
 *
 *     bun scripts/abi-probe.ts
 *
 * It goes through the exports of the modules, so that a constant which C does not confirm, or which
 * nobody says how to ask for, is a fault.
 */
import { dirname, join } from "node:path";
import { cPrelude, runC, systemHeaders } from "./c-program.ts";

/** A number of ours and the C expression that must give it. */
interface Claim {
  /** "ffi/fd.ts O.DIRECTORY" */
  readonly name: string;
  readonly value: number;
  readonly expression: string;
  /** The macro that the headers must define, or null where the expression is no macro. */
  readonly macro: string | null;
}

type Counterpart = (key: string) => Pick<Claim, "expression" | "macro">;

/** What the headers must know is a macro; a field of a struct need not be guarded. */
const macro = (name: string) => ({ expression: name, macro: name });
const plain = (expression: string) => ({ expression, macro: null });

/** Objects of numbers: how C says what stands under a key. */
const tables: Readonly<Record<string, Counterpart>> = {
  Errno: macro,
  O: (key) => macro(`O_${key}`),
  AT: (key) => macro(`AT_${key}`),
  pollfdLayout: struct("struct pollfd"),
  epollEventLayout: struct("struct epoll_event"),
  statxLayout: struct("struct statx"),
  statfsLayout: struct("struct statfs"),
  statfsTypeLayout: struct("struct statfs"),
  direntLayout: struct("struct dirent64"), // glibc's is the kernel's linux_dirent64
  inotifyEventLayout: struct("struct inotify_event"),
  metadataLayout: struct("struct fanotify_event_metadata"),
  infoHeaderLayout: struct("struct fanotify_event_info_header"),
  infoFidLayout: struct("struct fanotify_event_info_fid", {
    fsidSize: "sizeof(__kernel_fsid_t)",
    handle_bytes: `${offsetInInfoFid("handle")} + ${offsetInHandle("handle_bytes")}`,
    handle_type: `${offsetInInfoFid("handle")} + ${offsetInHandle("handle_type")}`,
    f_handle: `${offsetInInfoFid("handle")} + ${offsetInHandle("f_handle")}`,
  }),
  msghdrLayout: struct("struct msghdr"),
  iovecLayout: struct("struct iovec"),
  cmsghdrLayout: struct("struct cmsghdr"),
  infoPidfdLayout: struct("struct fanotify_event_info_pidfd"),
  infoRangeLayout: (key) => ({
    ...struct("struct fanotify_event_info_range")(key),
    macro: "FAN_EVENT_INFO_TYPE_RANGE",
  }),
  responseLayout: struct("struct fanotify_response"),
  fileHandleLayout: struct("struct file_handle", { max: "MAX_HANDLE_SZ" }),
  procConnectorOps: plain,
  procEvents: plain,
  nlmsghdrLayout: struct("struct nlmsghdr"),
  cnMsgLayout: struct("struct cn_msg", {
    idx: "offsetof(struct cn_msg, id.idx)",
    val: "offsetof(struct cn_msg, id.val)",
  }),
  procEventLayout: (key) => {
    const field = key.replace(/^(ack|fork|exec|exit)_/, "event_data.$1.");
    return plain(`offsetof(struct proc_event, ${field})`);
  },
  passwdLayout: struct("struct passwd"),
  groupLayout: struct("struct group"),
  idTypes: plain,
  siginfoLayout: struct("siginfo_t"),
  spawnLayout: sizes({
    attributes: "posix_spawnattr_t",
    fileActions: "posix_spawn_file_actions_t",
    signalSet: "sigset_t",
  }),
};

/** Not in the headers of the oldest system that builds this: checked by hand, with the kernel's version. */
const newerThanHeaders: Readonly<Record<string, string>> = {
  AT_HANDLE_FID: "Linux 6.5",
  STATX_MNT_ID_UNIQUE: "Linux 6.8",
  MFD_NOEXEC_SEAL: "Linux 6.3",
  FAN_PRE_ACCESS: "Linux 6.14",
  FAN_EVENT_INFO_TYPE_RANGE: "Linux 6.14",
  FAN_ERRNO_SHIFT: "Linux 6.14",
};

function struct(type: string, others: Readonly<Record<string, string>> = {}): Counterpart {
  return (key) => {
    if (key === "size") return plain(`sizeof(${type})`);
    return plain(others[key] ?? `offsetof(${type}, ${key})`);
  };
}

/** Types of which only the size matters. */
function sizes(types: Readonly<Record<string, string>>): Counterpart {
  return (key) => plain(`sizeof(${types[key]})`);
}

function offsetInInfoFid(field: string): string {
  return `offsetof(struct fanotify_event_info_fid, ${field})`;
}

function offsetInHandle(field: string): string {
  return `offsetof(struct file_handle, ${field})`;
}

export interface Comparison {
  /** Numbers that C confirmed. */
  readonly confirmed: number;
  /** One line for each constant that the installed headers do not know and that is listed here. */
  readonly unconfirmed: readonly string[];
  /** One line for each number that is wrong, unknown to the headers or that C was not asked for. */
  readonly faults: readonly string[];
}

/** @throws {Error} with the compiler's words */
export async function compareWithC(): Promise<Comparison> {
  const claims = await claimsOfModules();
  const hostClaims = claims.filter((claim) => !claim.expression.startsWith("__NR_"));
  const answers = askCompiler(hostClaims, systemHeaders);
  // asm-generic/unistd.h has the numbers of arm64, on whatever machine this runs.
  const genericClaims = claims.filter((claim) => claim.expression.startsWith("__NR_"));
  answers.push(...askCompiler(genericClaims, ["asm-generic/unistd.h"]));
  const unconfirmed: string[] = [];
  const faults: string[] = [];
  for (const [at, claim] of [...hostClaims, ...genericClaims].entries()) {
    const answer = answers[at]!;
    if (answer === claim.value) continue;
    const version = newerThanHeaders[claim.macro ?? claim.expression];
    if (answer !== null) {
      faults.push(
        `${claim.name} is ${hex(claim.value)}; C says ${claim.expression} = ${hex(answer)}`,
      );
    } else if (version !== undefined) {
      unconfirmed.push(`${claim.name}: ${claim.expression} (${version}) is not in these headers`);
    } else {
      faults.push(`${claim.name}: the headers have no ${claim.expression}`);
    }
  }
  const confirmed = claims.length - faults.length - unconfirmed.length;
  return { confirmed, unconfirmed, faults };
}

/** Every exported number of ffi/, also those in tables. @throws {Error} on a table that nobody described */
async function claimsOfModules(): Promise<Claim[]> {
  const directory = join(dirname(import.meta.dir), "ffi");
  const files = [...new Bun.Glob("**/*.ts").scanSync({ cwd: directory })].sort();
  const claims = [];
  for (const file of files) {
    for (const [name, value] of Object.entries(await import(join(directory, file)))) {
      if (name !== "libc" && name !== "laterLibc")
        claims.push(...claimsOf(`ffi/${file}`, name, value));
    }
  }
  return claims;
}

function claimsOf(file: string, name: string, value: unknown): Claim[] {
  if (typeof value === "number") return [{ name: `${file} ${name}`, value, ...macro(name) }];
  if (typeof value !== "object" || value === null) return [];
  if (name === "systemCallNumbers") return systemCallClaims(`${file} ${name}`, value);
  const counterpart = tables[name];
  if (counterpart === undefined) {
    throw new Error(`scripts/abi-probe.ts does not say what ${name} of ${file} is in C`);
  }
  return numbersIn(value).map(([key, number]) => {
    return { name: `${file} ${name}.${key}`, value: number, ...counterpart(key) };
  });
}

/** By architecture: arm64 has the generic numbers, and its own are those of the machine elsewhere. */
function systemCallClaims(name: string, byArchitecture: object): Claim[] {
  return Object.entries(byArchitecture).flatMap(([architecture, calls]) => {
    const isHost = architecture === process.arch;
    if (!isHost && architecture !== "arm64") return [];
    return numbersIn(calls).map(([call, value]) => {
      const symbol = isHost ? `SYS_${call}` : `__NR_${call}`;
      return { name: `${name}.${architecture}.${call}`, value, ...macro(symbol) };
    });
  });
}

function numbersIn(table: object): [string, number][] {
  return Object.entries(table).map(([key, value]) => {
    if (typeof value !== "number") throw new Error(`${key} is no number: ${value}`);
    return [key, value];
  });
}

/** What each claim's expression is in C; null if the headers do not define its macro. */
function askCompiler(claims: readonly Claim[], includes: readonly string[]): (number | null)[] {
  const questions = claims.map(({ expression, macro: guard }) => {
    const print = `printf("%lld\\n", (long long) (${expression}));`;
    if (guard === null) return `  ${print}`;
    return `#ifdef ${guard}\n  ${print}\n#else\n  puts("unknown");\n#endif`;
  });
  const output = runC(`${cPrelude(includes)}\nint main(void) {\n${questions.join("\n")}\n}\n`);
  const lines = output.trimEnd().split("\n");
  return lines.map((line) => (line === "unknown" ? null : Number(line)));
}

function hex(value: number): string {
  return value < 0 ? String(value) : `0x${value.toString(16)}`;
}

if (import.meta.main) {
  const { confirmed, unconfirmed, faults } = await compareWithC();
  for (const line of [...unconfirmed, ...faults]) console.error(line);
  console.log(`${confirmed} numbers confirmed by C, ${faults.length} faults`);
  if (faults.length > 0) process.exitCode = 1;
}
