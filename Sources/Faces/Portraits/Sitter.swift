import Tensors

/// One drawn person: an annotation row and circumstances, turned into measures and colours.
///
/// Lengths are in the units of ``Pose``.
struct Sitter {
  let attributes: [Bool]
  let luck: Circumstances

  // Colours
  var skin: Color
  var hair: Color
  var lips: Color
  var iris: Color
  /// How young the skin looks: 0 smooth, 1 lined.
  var age: Double

  // The head
  var cheek: Double
  var jaw: Double
  var chinWidth: Double
  var chin: Double
  var neck: Double
  var crown: Double

  // Eyes and brows
  var eyeX: Double
  var eyeWidth: Double
  var lidUp: Double
  var lidDown: Double
  var eyeTilt: Double
  var browY: Double
  var browThickness: Double
  var browArch: Double

  // Nose and mouth
  var noseWidth: Double
  var noseTip: Double
  var mouthWidth: Double
  var mouthCorner: Double
  var upperLip: Double
  var lowerLip: Double
  var gap: Double

  // Hair
  var style: HairStyle
  var wave: Double
  var volume: Double
  var parting: Double
  /// How far down hanging hair reaches.
  var hairEnd: Double

  enum HairStyle { case bald, short, tied, long }

  /// Draws person `row` of the family `seed`.
  init(attributes row: [Bool], seed: UInt64, stream: UInt64) {
    // A family of its own: rows sampled with the same seed must not share its numbers.
    var random = SplitMix64(seed: seed ^ 0x706f_7274_7261_6974, stream: stream)
    let luck = Circumstances(using: &random)
    // What nobody can see must not be drawn.
    var a = row
    a[.attractive] = false
    attributes = a
    self.luck = luck
    let s = luck.shape
    let male = a[.male]
    let old = !a[.young]
    let smile = a[.smiling]
    age = old ? 0.75 + 0.12 * s[0] : 0

    skin = Self.skin(luck, pale: a[.paleSkin])
    hair = Self.hair(a, luck)
    iris = Self.irises[luck.iris]
    let natural = skin * Color(0.90, 0.64, 0.62) + Color(0.02, 0, 0.01)
    let sticks = [
      Color(0.72, 0.07, 0.13), Color(0.82, 0.22, 0.36), Color(0.60, 0.09, 0.26),
      Color(0.86, 0.28, 0.25), Color(0.70, 0.14, 0.20),
    ]
    let stick = sticks[min(Int(luck.choice[0] * 5), 4)]
    lips = a[.wearingLipstick] ? mix(stick, skin * stick, 0.25) : natural

    cheek = 42 + (male ? 1.2 : 0) + (a[.chubby] ? 4.6 : 0) - (a[.ovalFace] ? 1.8 : 0) + 1.1 * s[1]
    var jawShare = male ? 0.85 : 0.79
    jawShare += (a[.chubby] ? 0.075 : 0) - (a[.ovalFace] ? 0.055 : 0) + 0.02 * s[2]
    jawShare += old ? 0.02 : 0
    jaw = cheek * jawShare
    chinWidth = (male ? 14.5 : 11) + (a[.chubby] ? 3 : 0) - (a[.ovalFace] ? 2 : 0) + s[3]
    chin = 67.5 + (male ? 3.5 : 0) + (a[.ovalFace] ? 2.5 : 0) - (a[.chubby] ? 1 : 0) + 1.2 * s[4]
    neck = (male ? 28 : 21.5) + (a[.chubby] ? 4 : 0) + s[5]
    crown = -67.5 - (a[.ovalFace] ? 2 : 0) + 1.2 * s[6]

    eyeX = 19.4 + 0.5 * s[7]
    eyeWidth = 8.7 + (male ? 0 : 0.5) + (old ? -0.3 : 0.2) + 0.25 * s[8]
    let openness = (a[.narrowEyes] ? 0.42 : 1) * (smile ? 0.88 : 1) * (old ? 0.93 : 1)
    lidUp = (4.2 + (male ? 0 : 0.7) + 0.3 * s[9]) * openness
    lidDown =
      (2.6 + (male ? 0 : 0.2) + 0.2 * s[10]) * (a[.narrowEyes] ? 0.5 : 1) * (smile ? 0.9 : 1)
    eyeTilt = 0.7 + 0.5 * s[11] + (male ? -0.2 : 0.5) - (old ? 0.5 : 0)
    browY = -13.6 - (male ? -1.0 : 1.2) - (a[.archedEyebrows] ? 1.2 : 0) + 0.7 * s[12]
    browThickness = (male ? 3.0 : 2.2) * (a[.bushyEyebrows] ? 1.75 : 1) * (1 + 0.1 * s[13])
    browArch = (male ? 1.2 : 2.0) + (a[.archedEyebrows] ? 4.2 : 0) + 0.35 * s[14]

    noseWidth =
      7.6 + (male ? 1.1 : 0) + (a[.bigNose] ? 3.6 : 0) - (a[.pointyNose] ? 1.3 : 0)
      + 0.4 * s[15]
    noseTip =
      21.5 + (a[.bigNose] ? 2.2 : 0) + (a[.pointyNose] ? 1.8 : 0) + (male ? 0.8 : 0) + 0.6 * s[16]
    mouthWidth = 13.4 + (male ? 0.9 : 0) + (smile ? 3.6 : 0) + 0.6 * s[17]
    mouthCorner = smile ? -4.0 + 0.4 * s[18] : 0.6 + 0.4 * s[18]
    let full = (a[.bigLips] ? 1.6 : 1) * (old ? 0.85 : 1) * (smile ? 0.88 : 1)
    upperLip = ((male ? 2.9 : 3.5) + 0.25 * s[19]) * full
    lowerLip = ((male ? 4.0 : 4.7) + 0.3 * s[20]) * full
    gap = a[.mouthSlightlyOpen] ? (smile ? 6.2 : 4.4) + 0.7 * s[21] : 0

    let long = luck.choice[1] < (male ? 0.14 : 0.70)
    let tied = luck.choice[2] < (male ? 0.1 : 0.55)
    style = a[.bald] ? .bald : long ? .long : tied ? .tied : .short
    let swing = a[.wavyHair] ? 1.0 : a[.straightHair] ? 0.0 : 0.28
    wave = swing + (a[.wavyHair] && a[.straightHair] ? -0.4 : 0)
    volume = 7.5 + (a[.wavyHair] ? 2.5 : 0) - (a[.straightHair] ? 1.2 : 0) + 1.1 * s[22]
    parting = (luck.choice[3] - 0.5) * 34
    hairEnd = luck.choice[4] < 0.4 ? 46 + 28 * luck.choice[5] : 84 + 64 * luck.choice[5]
  }

  /// Whether the row has `attribute`; never true of `Attractive`.
  func has(_ attribute: FaceAttribute) -> Bool { attributes[attribute] }

  private static func skin(_ luck: Circumstances, pale: Bool) -> Color {
    let tones = [
      Color(0.97, 0.83, 0.74), Color(0.93, 0.76, 0.64), Color(0.87, 0.68, 0.54),
      Color(0.77, 0.57, 0.43), Color(0.62, 0.44, 0.32), Color(0.45, 0.31, 0.23),
    ]
    let at = luck.tone * 4.999
    let i = Int(at)
    var skin = mix(tones[i], tones[i + 1], at - Double(i))
    skin *= Color(1 + 0.015 * luck.undertone, 1, 1 - 0.04 * luck.undertone)
    return pale ? mix(skin, Color(0.98, 0.91, 0.88), 0.68) : skin
  }

  private static func hair(_ a: [Bool], _ luck: Circumstances) -> Color {
    var colors: [Color] = []
    if a[.blackHair] { colors.append(Color(0.085, 0.07, 0.07)) }
    if a[.brownHair] { colors.append(Color(0.36, 0.225, 0.14)) }
    if a[.blondHair] { colors.append(Color(0.84, 0.68, 0.42)) }
    if a[.grayHair] { colors.append(Color(0.67, 0.655, 0.64)) }
    if colors.isEmpty {
      let others = [
        Color(0.46, 0.23, 0.13), Color(0.20, 0.135, 0.10), Color(0.56, 0.41, 0.26),
        Color(0.26, 0.13, 0.10), Color(0.27, 0.21, 0.17), Color(0.44, 0.31, 0.20),
      ]
      colors = [others[min(Int(luck.choice[6] * 6), 5)]]
    }
    let mean = colors.reduce(Color(repeating: 0), +) / Double(colors.count)
    let warmth = Color(1 + 0.025 * luck.shape[23], 1, 1 - 0.025 * luck.shape[23])
    return (mean * warmth * (0.85 + 0.3 * luck.choice[7])).shown
  }

  private static let irises = [
    Color(0.26, 0.15, 0.08), Color(0.33, 0.20, 0.10), Color(0.22, 0.13, 0.08),
    Color(0.42, 0.30, 0.15), Color(0.35, 0.42, 0.25), Color(0.30, 0.45, 0.60),
    Color(0.42, 0.52, 0.58), Color(0.28, 0.18, 0.10),
  ]
}
