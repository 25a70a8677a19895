/** The oldest processor that QEMU names with a version, with what every x86-64 has. */
const baseModel = "qemu64-v1";

/**
 * Features that are added to the base model, by QEMU's names. A level has those
 * of the levels before it. The levels follow the x86-64 psABI, with what
 * programs use besides: AES, random numbers, user-mode segment bases.
 */
const levels: readonly (readonly string[])[] = [
  ["aes", "pclmulqdq", "popcnt", "ssse3", "sse4.1", "sse4.2"],
  [
    ...["abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave", "xsaveopt"],
    ...["rdrand", "rdtscp", "fsgsbase"],
  ],
  ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "adx", "rdseed", "smap"],
];
/** The highest level that QEMU 7.2 emulates completely. */
const emulatedLevelCount = 2;
/** Every KVM has it, also where the host's processor does not. */
const kvmFeatures = ["tsc-deadline"];

/**
 * The value of QEMU's `-cpu` for new machines: a named model, the same on every
 * host of a class, so that saved memory loads on each of them. With KVM it has
 * the highest level that the host's processor supports completely. `enforce`
 * refuses a host that lacks a feature, instead of leaving the feature out.
 *
 * @param hostFlags Those of `/proc/cpuinfo`.
 */
export function processorModel(accelerator: "kvm" | "tcg", hostFlags: ReadonlySet<string>): string {
  if (accelerator === "tcg") return modelWith(levels.slice(0, emulatedLevelCount).flat());
  const missing = levels.findIndex((level) => !level.every((name) => hostFlags.has(flagOf(name))));
  const count = missing === -1 ? levels.length : Math.max(1, missing);
  return modelWith([...levels.slice(0, count).flat(), ...kvmFeatures]);
}

function modelWith(features: readonly string[]): string {
  return [baseModel, ...features.map((name) => `+${name}`), "enforce"].join(",");
}

/** Linux writes `sse4_1` where QEMU writes `sse4.1`. */
function flagOf(name: string): string {
  return name.replace(".", "_");
}
