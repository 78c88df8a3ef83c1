/** The flags of `wherry master` about admission. Pure. Called by `parseMasterOptions`. */
import { given, pathFlag, type RawFlags } from '../../src/host/config.js';
import { type PluginChoice, pluginFlags } from './choice.js';

export interface AdmissionOptions extends PluginChoice {
  /** An AdmissionConfiguration: what single plugins are configured with. */
  configFile: string | undefined;
}

export const admissionOptions = (raw: RawFlags): AdmissionOptions => ({
  ...pluginFlags(raw),
  configFile:
    given(raw, 'admission-control-config-file') && pathFlag(raw, 'admission-control-config-file', ''),
});
